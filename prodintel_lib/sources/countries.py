"""Names of countries to their two letters (ISO 3166-1), for sources that write names."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# The names are the English ones of Unicode's CLDR, without accents; after a comma others in use.
_NAMES: Final = (
    "AC:Ascension Island; AD:Andorra; AE:United Arab Emirates; AF:Afghanistan; AG:Antigua and Barbuda; AI:Anguilla; "
    "AL:Albania; AM:Armenia; AO:Angola; AQ:Antarctica; AR:Argentina; AS:American Samoa; AT:Austria; AU:Australia; "
    "AW:Aruba; AX:Aland Islands; AZ:Azerbaijan; BA:Bosnia and Herzegovina; BB:Barbados; BD:Bangladesh; BE:Belgium; "
    "BF:Burkina Faso; BG:Bulgaria; BH:Bahrain; BI:Burundi; BJ:Benin; BL:Saint Barthelemy; BM:Bermuda; BN:Brunei; "
    "BO:Bolivia; BQ:Caribbean Netherlands; BR:Brazil; BS:Bahamas; BT:Bhutan; BV:Bouvet Island; BW:Botswana; "
    "BY:Belarus; BZ:Belize; CA:Canada; CC:Cocos (Keeling) Islands; CD:Congo - Kinshasa; CF:Central African Republic; "
    "CG:Congo - Brazzaville; CH:Switzerland; CI:Cote d'Ivoire; CK:Cook Islands; CL:Chile; CM:Cameroon; CN:China; "
    "CO:Colombia; CP:Clipperton Island; CQ:Sark; CR:Costa Rica; CU:Cuba; CV:Cape Verde,Cabo Verde; CW:Curacao; "
    "CX:Christmas Island; CY:Cyprus; CZ:Czechia,Czech Republic; DE:Germany; DG:Diego Garcia; DJ:Djibouti; DK:Denmark; "
    "DM:Dominica; DO:Dominican Republic; DZ:Algeria; EA:Ceuta and Melilla; EC:Ecuador; EE:Estonia; EG:Egypt; "
    "EH:Western Sahara; ER:Eritrea; ES:Spain; ET:Ethiopia; FI:Finland; FJ:Fiji; FK:Falkland Islands; FM:Micronesia; "
    "FO:Faroe Islands; FR:France; GA:Gabon; GB:United Kingdom; GD:Grenada; GE:Georgia; GF:French Guiana; GG:Guernsey; "
    "GH:Ghana; GI:Gibraltar; GL:Greenland; GM:Gambia; GN:Guinea; GP:Guadeloupe; GQ:Equatorial Guinea; GR:Greece; "
    "GS:South Georgia and South Sandwich Islands; GT:Guatemala; GU:Guam; GW:Guinea-Bissau; GY:Guyana; HK:Hong Kong; "
    "HM:Heard and McDonald Islands; HN:Honduras; HR:Croatia; HT:Haiti; HU:Hungary; IC:Canary Islands; ID:Indonesia; "
    "IE:Ireland; IL:Israel; IM:Isle of Man; IN:India; IO:British Indian Ocean Territory; IQ:Iraq; IR:Iran; "
    "IS:Iceland; IT:Italy; JE:Jersey; JM:Jamaica; JO:Jordan; JP:Japan; KE:Kenya; KG:Kyrgyzstan; KH:Cambodia; "
    "KI:Kiribati; KM:Comoros; KN:Saint Kitts and Nevis; KP:North Korea; KR:South Korea,Republic of Korea; KW:Kuwait; "
    "KY:Cayman Islands; KZ:Kazakhstan; LA:Laos; LB:Lebanon; LC:Saint Lucia; LI:Liechtenstein; LK:Sri Lanka; "
    "LR:Liberia; LS:Lesotho; LT:Lithuania; LU:Luxembourg; LV:Latvia; LY:Libya; MA:Morocco; MC:Monaco; MD:Moldova; "
    "ME:Montenegro; MF:Saint Martin; MG:Madagascar; MH:Marshall Islands; MK:North Macedonia,Macedonia; ML:Mali; "
    "MM:Myanmar; MN:Mongolia; MO:Macao; MP:Northern Mariana Islands; MQ:Martinique; MR:Mauritania; MS:Montserrat; "
    "MT:Malta; MU:Mauritius; MV:Maldives; MW:Malawi; MX:Mexico; MY:Malaysia; MZ:Mozambique; NA:Namibia; NC:New "
    "Caledonia; NE:Niger; NF:Norfolk Island; NG:Nigeria; NI:Nicaragua; NL:Netherlands; NO:Norway; NP:Nepal; NR:Nauru; "
    "NU:Niue; NZ:New Zealand; OM:Oman; PA:Panama; PE:Peru; PF:French Polynesia; PG:Papua New Guinea; PH:Philippines; "
    "PK:Pakistan; PL:Poland; PM:Saint Pierre and Miquelon; PN:Pitcairn Islands; PR:Puerto Rico; "
    "PS:Palestinian,Palestine; PT:Portugal; PW:Palau; PY:Paraguay; QA:Qatar; RE:Reunion; RO:Romania; RS:Serbia; "
    "RU:Russia,Russian Federation; RW:Rwanda; SA:Saudi Arabia; SB:Solomon Islands; SC:Seychelles; SD:Sudan; "
    "SE:Sweden; SG:Singapore; SH:Saint Helena; SI:Slovenia; SJ:Svalbard and Jan Mayen; SK:Slovakia; SL:Sierra Leone; "
    "SM:San Marino; SN:Senegal; SO:Somalia; SR:Suriname; SS:South Sudan; ST:Sao Tome and Principe; SV:El Salvador; "
    "SX:Sint Maarten; SY:Syria; SZ:Eswatini,Swaziland; TA:Tristan da Cunha; TC:Turks and Caicos Islands; TD:Chad; "
    "TF:French Southern Territories; TG:Togo; TH:Thailand; TJ:Tajikistan; TK:Tokelau; TL:Timor-Leste; "
    "TM:Turkmenistan; TN:Tunisia; TO:Tonga; TR:Turkiye,Turkey; TT:Trinidad and Tobago; TV:Tuvalu; TW:Taiwan; "
    "TZ:Tanzania; UA:Ukraine; UG:Uganda; UM:U.S. Outlying Islands; US:United States,United States of America; "
    "UY:Uruguay; UZ:Uzbekistan; VA:Vatican City; VC:Saint Vincent and Grenadines,Saint Vincent and the Grenadines; "
    "VE:Venezuela; VG:British Virgin Islands; VI:U.S. Virgin Islands; VN:Vietnam,Viet Nam; VU:Vanuatu; WF:Wallis and "
    "Futuna; WS:Samoa; XK:Kosovo; YE:Yemen; YT:Mayotte; ZA:South Africa; ZM:Zambia; ZW:Zimbabwe"
)


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.replace("\u2019", "'")).encode("ascii", "ignore").decode()
    return letters.replace(" & ", " and ").replace("St. ", "Saint ").casefold().strip()


_CODES: Final[Mapping[str, str]] = {
    _plain(name): entry[:2] for entry in _NAMES.split("; ") for name in entry[3:].split(",")
}


def country_code(name: object) -> str | None:
    """Return the two letters of a country; None where the name is not known.

    Examples
    --------
    >>> country_code("Germany"), country_code("de"), country_code("Côte d'Ivoire"), country_code("(not set)")
    ('DE', 'DE', 'CI', None)
    """
    if not isinstance(name, str):
        return None
    if len(name) == 2 and name.isalpha() and name.isascii():
        return name.upper()
    return _CODES.get(_plain(name))
