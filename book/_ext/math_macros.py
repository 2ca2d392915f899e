"""One set of LaTeX macros, ``math_macros`` in _config.yml, for MathJax (HTML) and for LaTeX (PDF)."""

from sphinx.application import Sphinx
from sphinx.config import Config


def share_macros(app: Sphinx, config: Config) -> None:
    """Add the macros to the configuration of both outputs."""
    mathjax = dict(config.mathjax3_config or {})
    mathjax["tex"] = {**mathjax.get("tex", {}), "macros": config.math_macros}
    config.mathjax3_config = mathjax
    preamble = "\n".join(latex_definition(name, body) for name, body in config.math_macros.items())
    latex = dict(config.latex_elements)
    latex["preamble"] = "\n".join([latex.get("preamble", ""), preamble])
    config.latex_elements = latex


def latex_definition(name: str, body: str | list) -> str:
    """Return the LaTeX line that defines one macro, also where LaTeX already knows its name.

    Args:
        name: of the macro, without backslash.
        body: its definition, or a list of the definition and the number of arguments.
    """
    definition, arguments = (body, 0) if isinstance(body, str) else body
    count = f"[{arguments}]" if arguments else ""
    return rf"\providecommand{{\{name}}}{{}}\renewcommand{{\{name}}}{count}{{{definition}}}"


def setup(app: Sphinx) -> dict:
    """Register with Sphinx, ahead of the extensions that read the macros."""
    app.add_config_value("math_macros", {}, "env")
    app.connect("config-inited", share_macros, priority=100)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
