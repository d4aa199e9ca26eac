@rem kubectl runs this to complete "kubectl etp".
@kubectl-etp.exe __complete %*
