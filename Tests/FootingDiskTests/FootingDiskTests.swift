// FootingDiskTests
