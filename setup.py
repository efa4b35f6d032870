"""What pyproject.toml cannot say: the twistd plugin lies under gateway/ and is installed among Twisted's own.

``twisted.plugins`` is Twisted's package.  Ours holds modules only, no ``__init__.py``, so that neither
installing nor removing this distribution touches a file of Twisted's."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["drivers*", "gateway*"]), "twisted.plugins"],
    package_dir={"twisted.plugins": "gateway/plugins"},
)
