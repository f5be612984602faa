// FootingSimulation
