package provider

// pureLB is PureLB: addresses that it gave (purelb/purelb v0.17 internal/allocator), announced from nodes.
type pureLB struct{ unknown }

func (pureLB) about() (name, title string) { return "purelb", "PureLB" }

func (pureLB) recognise(c candidate) (LoadBalancer, bool) {
	key := c.annotated("purelb.io/allocated-by")
	return announced("purelb", "PureLB", "annotation "+key), key != ""
}

func (pureLB) toLocal(LoadBalancer, Facts) Change { return announcedToLocal() }
