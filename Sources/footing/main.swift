import FootingCommands

FootingProgram.main()
