// FootingNBDTests
