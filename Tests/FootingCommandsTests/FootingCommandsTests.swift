// FootingCommandsTests
