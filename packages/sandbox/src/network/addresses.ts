import { BlockList, isIPv4, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { embeddedIPv4 } from "./host.ts";

// The registries of special-purpose addresses of IANA, for everything that is not reachable from everywhere.
const special = toList(
	"0.0.0.0/8", // this host
	"10.0.0.0/8", // private
	"100.64.0.0/10", // between carriers and their customers
	"127.0.0.0/8", // loopback
	"168.63.129.16/32", // the services of Azure for the machine itself
	"169.254.0.0/16", // link-local, with the metadata of clouds
	"172.16.0.0/12", // private
	"192.0.0.0/24", // protocols
	"192.0.2.0/24", // documents
	"192.88.99.0/24", // relays of 6to4
	"192.168.0.0/16", // private
	"198.18.0.0/15", // benchmarks
	"198.51.100.0/24", // documents
	"203.0.113.0/24", // documents
	"224.0.0.0/4", // multicast
	"240.0.0.0/4", // reserved, and the broadcast address
	"2001::/23", // protocols, with Teredo, which leads to any IPv4 address
	"2001:db8::/32", // documents
	"2002::/16", // 6to4, which leads to any IPv4 address
	"3fff::/20", // documents
);

// Everything outside of it is loopback, link-local, unique local, multicast, an embedded IPv4 address or not assigned.
const globalUnicast = toList("2000::/3");

/**
 * Returns whether an address belongs to the internet, and not to a private network, to this host or to one link.
 *
 * The addresses of this host's own network devices are not public either: its services listen there.
 *
 * @param address - An address in the spelling of `toHost`, or with a zone.
 * @param own - The addresses of this host, where the caller asks about several addresses.
 */
export function isPublic(address: string, own = ownAddresses()): boolean {
	if (isIPv6(address) && address.includes("%")) return false; // with a zone: link-local
	if (own.has(address)) return false;
	if (isIPv4(address)) return !special.check(address, "ipv4");
	// A network with IPv6 alone reaches IPv4 addresses through this prefix.
	const translated = embeddedIPv4(address, "64:ff9b::");
	if (translated !== undefined) return isPublic(translated, own);
	return globalUnicast.check(address, "ipv6") && !special.check(address, "ipv6");
}

/** Returns the addresses of the network devices of this host. */
export function ownAddresses(): ReadonlySet<string> {
	return new Set(Object.values(networkInterfaces()).flatMap((found = []) => found.map(({ address }) => address)));
}

function toList(...subnets: string[]): BlockList {
	const list = new BlockList();
	for (const subnet of subnets) {
		const [address = "", prefix] = subnet.split("/");
		list.addSubnet(address, Number(prefix), isIPv4(address) ? "ipv4" : "ipv6");
	}
	return list;
}
