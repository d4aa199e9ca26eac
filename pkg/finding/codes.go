package finding

// Codes of the catalogue. A code is never given to another kind of finding, also not after its kind is gone.
const (
	NoReadyEndpoint          = "ETP001"
	FailsFromPods            = "ETP002"
	FailsFromHost            = "ETP003"
	BypassesLoadBalancer     = "ETP005"
	UnevenLoad               = "ETP007"
	SingleNode               = "ETP008"
	SendsToNoEndpoint        = "ETP011"
	AnnouncerWithoutEndpoint = "ETP013"
	AnnouncedByAnyNode       = "ETP014"
	HealthAgainstPolicy      = "ETP022"
	LocalHidesClientIP       = "ETP023"
	NodePortOnSomeNodes      = "ETP025"
	EndpointWithoutNode      = "ETP027"
	UnhealthyIsExpected      = "ETP042"
	NoAddress                = "ETP047"
	CountsDiffer             = "ETP048"
	UnservedPort             = "ETP049"
	OtherProxyMode           = "ETP050"
	SendsToFailingNodes      = "ETP051"
	CrossZoneOff             = "ETP052"
)
