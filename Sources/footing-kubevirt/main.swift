import FootingKubeVirtCommands

KubeVirtProgram.main()
