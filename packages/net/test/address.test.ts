import { isIP } from "node:net";
import { Task } from "@nearfar/core";
import { bind, connect, getsockname, listen, type SocketAddress, setsockopt, socket } from "@nearfar/net";
import { expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { inside } from "./inside.ts";

/** Binds a datagram socket of the current task, and returns the address that the kernel says. */
function roundTrip(family: "inet" | "inet6" | "unix", address: SocketAddress): SocketAddress {
	using made = socket(family, "dgram");
	bind(made, address);
	return getsockname(made);
}

test.each([
	["inet", "127.0.0.1"],
	["inet", "0.0.0.0"],
	["inet", "127.255.1.254"],
	["inet6", "::"],
	["inet6", "::1"],
	["inet6", "::ffff:127.0.0.1"],
] as const)("%s %s and its port come back as they went", async (family, address) => {
	await using task = await inside();
	expect(task.run(() => roundTrip(family, { address, port: 0xabcd }))).toEqual({ address, port: 0xabcd });
});

test("an IPv6 address is shown in its shortest form, as Node shows it", async () => {
	await using task = await inside();
	const forms: Record<string, string> = {
		"2001:DB8:0:0:1:0:0:1": "2001:db8::1:0:0:1",
		"2001:db8:0:1:1:1:1:1": "2001:db8:0:1:1:1:1:1",
		"fc00::0": "fc00::",
		"0:0:1::": "0:0:1::",
		"1:2:3:4:5:6:7:8": "1:2:3:4:5:6:7:8",
		"64:ff9b::1.2.3.4": "64:ff9b::102:304",
		"::ffff:0:127.0.0.1": "::ffff:0:7f00:1",
	};
	for (const [given, shown] of Object.entries(forms)) {
		const found = task.run(() => {
			using made = socket("inet6", "dgram");
			setsockopt(made, 41, 78, 1); // IPV6_FREEBIND
			bind(made, { address: given, port: 7 });
			return getsockname(made);
		});
		expect(found).toEqual({ address: shown, port: 7 });
		expect(isIP(shown)).toBe(6);
	}
});

test("the scope of a link-local address is kept", async () => {
	await using task = await inside();
	const address = { address: "fe80::1", port: 9, scopeId: 1 };
	const found = task.run(() => {
		using made = socket("inet6", "dgram");
		setsockopt(made, 41, 78, 1); // IPV6_FREEBIND
		bind(made, address);
		return getsockname(made);
	});
	expect(found).toEqual(address);
});

test("names of Unix sockets come back as they went", async () => {
	const unique = `nearfar-${process.pid}`;
	await using task = await Task.clone({ namespaces: ["user", "net"] });
	task.run(() => {
		expect(roundTrip("unix", { path: `\0${unique}` })).toEqual({ path: `\0${unique}` });
		expect(roundTrip("unix", { path: `\0${"é".repeat(53)}` })).toEqual({ path: `\0${"é".repeat(53)}` });
		expect(roundTrip("unix", { path: `\0a\0b\0` })).toEqual({ path: `\0a\0b\0` });
		const bytes = Buffer.from([0, 0xff, 0xfe]);
		expect(roundTrip("unix", { path: bytes })).toEqual({ path: bytes });
		// The kernel chooses an abstract name of five digits.
		expect(roundTrip("unix", { path: "" })).toEqual({ path: expect.stringMatching(/^\0[\da-f]{5}$/) });
	});
});

test("a socket without a name has an empty path, and an IP socket port 0", () => {
	using unix = socket("unix", "stream");
	expect(getsockname(unix)).toEqual({ path: "" });
	using inet = socket("inet", "stream");
	expect(getsockname(inet)).toEqual({ address: "0.0.0.0", port: 0 });
	using inet6 = socket("inet6", "stream");
	expect(getsockname(inet6)).toEqual({ address: "::", port: 0 });
});

test("the address of a socket of another family is refused, and never guessed", () => {
	using netlink = socket("netlink", "raw");
	expect(refusal(() => getsockname(netlink)).code).toBe("ERR_INVALID_ARG_VALUE");
	// Whether an address fits the family of a socket is for the kernel to decide.
	expect(refusal(() => bind(netlink, { path: "" }))).toMatchObject({ code: "EINVAL", syscall: "bind" });
});

const wrong: [string, unknown, string][] = [
	["nothing", undefined, "ERR_INVALID_ARG_TYPE"],
	["null", null, "ERR_INVALID_ARG_TYPE"],
	["text", "127.0.0.1:80", "ERR_INVALID_ARG_TYPE"],
	["an empty object", {}, "ERR_INVALID_ARG_TYPE"],
	["an address without a port", { address: "127.0.0.1" }, "ERR_INVALID_ARG_TYPE"],
	["a port alone", { port: 80 }, "ERR_INVALID_ARG_TYPE"],
	["a port that is text", { address: "127.0.0.1", port: "80" }, "ERR_INVALID_ARG_TYPE"],
	["a port below 0", { address: "127.0.0.1", port: -1 }, "ERR_OUT_OF_RANGE"],
	["a port above 65535", { address: "127.0.0.1", port: 65_536 }, "ERR_OUT_OF_RANGE"],
	["a fraction of a port", { address: "127.0.0.1", port: 1.5 }, "ERR_OUT_OF_RANGE"],
	["the name of a host", { address: "localhost", port: 80 }, "ERR_INVALID_ARG_VALUE"],
	["no digits", { address: "", port: 80 }, "ERR_INVALID_ARG_VALUE"],
	["a short form of IPv4", { address: "127.1", port: 80 }, "ERR_INVALID_ARG_VALUE"],
	["octal digits", { address: "0177.0.0.1", port: 80 }, "ERR_INVALID_ARG_VALUE"],
	["spaces", { address: " 127.0.0.1", port: 80 }, "ERR_INVALID_ARG_VALUE"],
	["brackets", { address: "[::1]", port: 80 }, "ERR_INVALID_ARG_VALUE"],
	["a zone in the address", { address: "fe80::1%lo", port: 80 }, "ERR_INVALID_ARG_VALUE"],
	["a scope for IPv4", { address: "127.0.0.1", port: 80, scopeId: 1 }, "ERR_INVALID_ARG_VALUE"],
	["a scope that is no number", { address: "fe80::1", port: 80, scopeId: "lo" }, "ERR_INVALID_ARG_TYPE"],
	["a scope that is null", { address: "fe80::1", port: 80, scopeId: null }, "ERR_INVALID_ARG_TYPE"],
	["a scope out of range", { address: "fe80::1", port: 80, scopeId: 2 ** 32 }, "ERR_OUT_OF_RANGE"],
	["a path and an address", { path: "/a", address: "127.0.0.1", port: 80 }, "ERR_INVALID_ARG_VALUE"],
	["a path and a port", { path: "/a", port: 80 }, "ERR_INVALID_ARG_VALUE"],
	["a path that is a number", { path: 1 }, "ERR_INVALID_ARG_TYPE"],
	["a path with a NUL byte inside", { path: "/a\0b" }, "ERR_INVALID_ARG_VALUE"],
	["a path with a NUL byte at its end", { path: Buffer.from("/a\0") }, "ERR_INVALID_ARG_VALUE"],
	["a path of 109 bytes", { path: `${"é".repeat(54)}a` }, "ERR_OUT_OF_RANGE"],
	["an abstract name of 108 bytes", { path: `\0${"a".repeat(108)}` }, "ERR_OUT_OF_RANGE"],
	["a host", { address: "127.0.0.1", port: 80, host: "a" }, "ERR_INVALID_ARG_VALUE"],
];

test.each(wrong)("%s is refused before any call", (_, address, code) => {
	using made = socket("inet", "stream");
	for (const call of [bind, connect]) {
		expect(refusal(() => call(made, address as SocketAddress))).toMatchObject({ code });
		expect(refusal(() => call(made, address as SocketAddress))).not.toHaveProperty("syscall");
	}
	listen(made); // the socket is as it was: the kernel binds it to a free port now
	expect(getsockname(made)).toMatchObject({ address: "0.0.0.0" });
});
