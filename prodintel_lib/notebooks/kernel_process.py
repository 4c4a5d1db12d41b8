"""The kernel process of an unattended run: IPython's kernel without what only a person needs.

Run as ``python -m prodintel_lib.notebooks.kernel_process -f CONNECTION_FILE``.
"""

from __future__ import annotations

from prodintel_lib.lean_imports import skip_slow_imports


def main() -> None:
    """Serve one notebook until the host ends the process."""
    skip_slow_imports(unattended_kernel=True)
    from ipykernel.kernelapp import IPKernelApp  # noqa: PLC0415 (imports must follow the line above)

    IPKernelApp.launch_instance()


if __name__ == "__main__":
    main()
