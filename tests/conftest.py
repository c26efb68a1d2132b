"""What may be asked of the whole suite on the command line."""


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=5, help="how often to kill running sessions")
