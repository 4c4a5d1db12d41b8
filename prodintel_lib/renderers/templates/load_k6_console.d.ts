// k6 has a console; @types/k6 leaves it to the libraries of browsers and of Node, which k6 does not have otherwise.
declare const console: { log(text: string): void };
