package finding

// Codes of the catalogue. A code is never given to another kind of finding, also not after its kind is gone.
const (
	NoReadyEndpoint     = "ETP001"
	FailsFromPods       = "ETP002"
	FailsFromHost       = "ETP003"
	UnevenLoad          = "ETP007"
	SingleNode          = "ETP008"
	SendsToNoEndpoint   = "ETP011"
	NodePortOnSomeNodes = "ETP025"
	EndpointWithoutNode = "ETP027"
	NoAddress           = "ETP047"
	CountsDiffer        = "ETP048"
	UnservedPort        = "ETP049"
	OtherProxyMode      = "ETP050"
	SendsToFailingNodes = "ETP051"
)
