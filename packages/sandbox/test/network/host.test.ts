import { expect, test } from "vitest";
import { isPublic } from "../../src/network/addresses.ts";
import { toAuthority, toHost, withPort } from "../../src/network/host.ts";

const spellings = [
	["example.com", "example.com"],
	["EXAMPLE.Com", "example.com"],
	["example.com.", "example.com"],
	["bücher.example", "xn--bcher-kva.example"],
	["xn--bcher-kva.example", "xn--bcher-kva.example"],
	["a_b.example", "a_b.example"],
	["localhost.", "localhost"],
	["127.0.0.1", "127.0.0.1"],
	["127.0.0.1.", "127.0.0.1"],
	["127.1", "127.0.0.1"],
	["0x7f000001", "127.0.0.1"],
	["0X7F.1", "127.0.0.1"],
	["0177.0.0.1", "127.0.0.1"],
	["017700000001", "127.0.0.1"],
	["2130706433", "127.0.0.1"],
	["１２７.0.0.1", "127.0.0.1"],
	["0", "0.0.0.0"],
	["::1", "::1"],
	["[::1]", "::1"],
	["[0:0:0:0:0:0:0:1]", "::1"],
	["[2001:DB8:0::1]", "2001:db8::1"],
	["[::ffff:127.0.0.1]", "127.0.0.1"],
	["[::ffff:7f00:1]", "127.0.0.1"],
	["[0:0::FFFF:7F00:0001]", "127.0.0.1"],
	["[::ffff:0:0]", "0.0.0.0"],
] as const;

test.each(spellings)("the host %s is %s", (text, host) => {
	expect(toHost(text)).toBe(host);
	expect(toHost(host), "the one spelling stays").toBe(host);
});

const others = [
	"",
	".",
	"..",
	".example.com",
	"example..com",
	"example.com..",
	"127.0.0.1..",
	"user@example.com",
	"example.com@127.0.0.1",
	"example%2ecom",
	"%31%32%37.0.0.1",
	"exam ple.com",
	" example.com",
	"example.com\t",
	"example.com\n",
	"example.com\0",
	"exam\u2028ple.com",
	"example.com/path",
	"example.com\\path",
	"example.com?query",
	"example.com#hash",
	"http://example.com",
	"example.com:80",
	"*.example.com",
	"256.0.0.1",
	"1.2.3.4.5",
	"example.0x10",
	"[::1",
	"::1]",
	"[127.0.0.1]",
	"[fe80::1%eth0]",
	"fe80::1%1",
	"[::1%25lo]",
	"[::g]",
	":::",
	`${"a".repeat(64)}.example`,
	Array.from({ length: 64 }, () => "abcd").join("."),
];

test.each(others)("%j is no host", (text) => {
	expect(() => toHost(text)).toThrow(/^a host/);
});

test("an authority has a host and a port", () => {
	expect(toAuthority("Example.com:443")).toEqual({ host: "example.com", port: 443 });
	expect(toAuthority("[::1]:8080")).toEqual({ host: "::1", port: 8080 });
	expect(toAuthority("0x7f.1:1")).toEqual({ host: "127.0.0.1", port: 1 });
	expect(toAuthority("example.com", 80)).toEqual({ host: "example.com", port: 80 });
	for (const text of [
		"example.com",
		":80",
		"a:0",
		"a:65536",
		"a:-1",
		"a:1e3",
		"a: 80",
		"::1:80",
		"a:80:90",
		"a:080000",
	]) {
		expect(() => toAuthority(text), text).toThrow(/^a host/);
	}
	expect([withPort("a.example", 1), withPort("::1", 2)]).toEqual(["a.example:1", "[::1]:2"]);
});

// A row for each range of the registries of IANA: its first and its last address, and what is beside it.
const ranges = {
	private: [
		["0.0.0.0", "0.255.255.255"],
		["10.0.0.0", "10.255.255.255"],
		["100.64.0.0", "100.127.255.255"],
		["127.0.0.0", "127.255.255.255"],
		["169.254.0.0", "169.254.169.254"],
		["172.16.0.0", "172.31.255.255"],
		["192.0.0.0", "192.0.0.255"],
		["192.0.2.0", "192.0.2.255"],
		["192.168.0.0", "192.168.255.255"],
		["198.18.0.0", "198.19.255.255"],
		["198.51.100.1", "203.0.113.1"],
		["224.0.0.0", "239.255.255.255"],
		["240.0.0.0", "255.255.255.255"],
		["168.63.129.16", "192.88.99.1"],
		["::", "::1"],
		["::ffff:10.0.0.1", "::ffff:127.0.0.1"],
		["::127.0.0.1", "::ffff:0:127.0.0.1"], // compatible and translated, which no network routes
		["64:ff9b::127.0.0.1", "64:ff9b::a00:1"],
		["64:ff9b::", "64:ff9b:1::1"],
		["2002:7f00:1::", "2002:0808:0808::1"],
		["2001::1", "2001:0:ffff::"],
		["2001:db8::1", "3fff::1"],
		["100::1", "5f00::1"],
		["fc00::", "fdff::1"],
		["fe80::1", "febf::1"],
		["fe80::1%eth0", "fe80::1%1"],
		["fec0::1", "ff02::1"],
	],
	public: [
		["1.0.0.0", "9.255.255.255"],
		["11.0.0.0", "100.63.255.255"],
		["100.128.0.0", "126.255.255.255"],
		["128.0.0.0", "169.253.255.255"],
		["169.255.0.0", "172.15.255.255"],
		["172.32.0.0", "191.255.255.255"],
		["192.169.0.0", "223.255.255.255"],
		["::ffff:8.8.8.8", "64:ff9b::8.8.8.8"],
		["2001:200::1", "2606:4700::1111"],
		["2a00:1450::1", "3ffe::1"],
	],
} as const;

test.each(ranges.private.flat())("%s is not public", (address) => {
	expect(isPublic(address.includes("%") ? address : toHost(address))).toBe(false);
});

test.each(ranges.public.flat())("%s is public", (address) => {
	expect(isPublic(toHost(address))).toBe(true);
});
