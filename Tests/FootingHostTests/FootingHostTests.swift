// FootingHostTests
