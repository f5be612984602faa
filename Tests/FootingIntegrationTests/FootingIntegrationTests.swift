// FootingIntegrationTests
