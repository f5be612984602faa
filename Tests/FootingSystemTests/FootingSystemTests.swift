// FootingSystemTests
