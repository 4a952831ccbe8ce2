// Coredns is upstream's CoreDNS with the plugins that a cluster's name service uses, and without those for the clouds' own.
package main

import (
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/transfer"

	"github.com/coredns/coredns/coremain"
)

func main() { coremain.Run() }
