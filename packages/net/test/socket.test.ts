import { dropCapabilities } from "@nearfar/caps";
import { type FileDescriptor, openat2, Task } from "@nearfar/core";
import { loopbackUp } from "@nearfar/namespaces";
import {
	bind,
	connect,
	getpeername,
	getsockname,
	getsockopt,
	listen,
	type SocketAddress,
	setsockopt,
	socket,
} from "@nearfar/net";
import { setrlimit } from "@nearfar/process";
import { describe, expect, test } from "vitest";
import { isRoot, needs } from "../../../test/needs.ts";
import { neverOpen, refusal } from "../../../test/refusal.ts";
import { inside, network, portOf } from "./inside.ts";

const [SOL_SOCKET, SO_REUSEADDR, SO_TYPE, SO_ERROR, SO_PROTOCOL, SO_DOMAIN] = [1, 2, 3, 4, 38, 39];
const local = { address: "127.0.0.1", port: 0 };

const optionOf = (fd: FileDescriptor, name: number) => getsockopt(fd, SOL_SOCKET, name).readInt32LE();

describe("socket", () => {
	test.each([
		["inet", "stream", 2, 1],
		["inet6", "dgram", 10, 2],
		["unix", "seqpacket", 1, 5],
		["netlink", "raw", 16, 3],
		[2, 1, 2, 1],
	] as const)("makes a socket of %s and %s", async (family, type, domain, kind) => {
		using near = socket(family, type);
		await using task = await Task.clone(network);
		const far = task.run(() => socket(family, type));
		expect([optionOf(near, SO_DOMAIN), optionOf(near, SO_TYPE)]).toEqual([domain, kind]);
		expect(task.run(() => [optionOf(far, SO_DOMAIN), optionOf(far, SO_TYPE)])).toEqual([domain, kind]);
	});

	test("raw and packet sockets need CAP_NET_RAW, which a task has over a network namespace of its own", async () => {
		await using task = await Task.clone(network);
		task.run(() => {
			using raw = socket("inet", "raw", { protocol: 1 });
			expect(optionOf(raw, SO_PROTOCOL)).toBe(1);
			using packet = socket("packet", "dgram");
			expect(optionOf(packet, SO_DOMAIN)).toBe(17);
			dropCapabilities();
			expect(refusal(() => socket("inet", "raw", { protocol: 1 }))).toMatchObject({ code: "EPERM", syscall: "socket" });
			expect(refusal(() => socket("packet", "raw"))).toMatchObject({ code: "EPERM", syscall: "socket" });
		});
	});

	test("a vsock socket is made where the kernel has the family", async () => {
		try {
			using made = socket("vsock", "stream");
			expect(optionOf(made, SO_DOMAIN)).toBe(40);
		} catch (error) {
			expect(error).toMatchObject({ code: "EAFNOSUPPORT", syscall: "socket" });
		}
	});

	test("it is close-on-exec and nonblocking, unless it is asked to block", async () => {
		using near = socket("inet", "stream");
		expect([near.closeOnExec, near.blocking]).toEqual([true, false]);
		await using task = await Task.clone();
		using waits = task.run(() => socket("inet", "stream", { blocking: true }));
		expect([waits.closeOnExec, waits.blocking]).toEqual([true, true]);
	});

	test.each([
		["EAFNOSUPPORT", 45, "stream", {}],
		["EAFNOSUPPORT", 65_535, "stream", {}],
		["ESOCKTNOSUPPORT", "inet", "seqpacket", {}],
		["EPROTONOSUPPORT", "inet", "stream", { protocol: 17 }],
		["EPROTONOSUPPORT", "netlink", "raw", { protocol: 31 }],
		["EINVAL", "inet", 15, {}],
	] as const)("%s of the kernel for %s and %s", (code, family, type, options) => {
		expect(refusal(() => socket(family, type, options))).toMatchObject({ code, syscall: "socket" });
	});

	test.each([
		["ERR_INVALID_ARG_VALUE", "ipv4", "stream", {}],
		["ERR_INVALID_ARG_VALUE", ["inet"], "stream", {}],
		["ERR_INVALID_ARG_VALUE", "inet", "tcp", {}],
		["ERR_INVALID_ARG_VALUE", undefined, "stream", {}],
		["ERR_OUT_OF_RANGE", -1, "stream", {}],
		["ERR_OUT_OF_RANGE", "inet", 0x801, {}], // SOCK_NONBLOCK is an option here
		["ERR_OUT_OF_RANGE", "inet", "stream", { protocol: -1 }],
		["ERR_INVALID_ARG_TYPE", "inet", "stream", { protocol: "tcp" }],
		["ERR_INVALID_ARG_TYPE", "inet", "stream", { blocking: 1 }],
		["ERR_INVALID_ARG_VALUE", "inet", "stream", { nonblocking: true }],
	])("%s for %s, %s and %o, before any call", (code, family, type, options) => {
		const error = refusal(() => socket(family as "inet", type as "stream", options as object));
		expect(error.code).toBe(code);
		expect(error.syscall).toBeUndefined();
	});

	test("EMFILE when the task has reached its limit", async () => {
		await using task = await Task.clone();
		task.run(() => setrlimit("nofile", { soft: 3, hard: 3 }));
		expect(task.run(() => refusal(() => socket("inet", "stream")))).toMatchObject({
			code: "EMFILE",
			syscall: "socket",
		});
	});
});

describe("bind, listen and connect", () => {
	test("two network namespaces have the same port, and a third socket there is EADDRINUSE", async () => {
		await using one = await inside();
		await using two = await inside();
		for (const task of [one, two]) {
			task.run(() => {
				const server = socket("inet", "stream");
				bind(server, { address: "127.0.0.1", port: 80 });
				listen(server);
				using other = socket("inet", "stream");
				const error = refusal(() => bind(other, { address: "127.0.0.1", port: 80 }));
				expect(error).toMatchObject({ code: "EADDRINUSE", syscall: "bind", task: `${task}` });
			});
		}
	});

	test("a client that waits connects to a server, and both know each other's address", async () => {
		await using task = await inside();
		task.run(() => {
			using server = socket("inet", "stream", { blocking: true });
			bind(server, local);
			listen(server);
			using client = socket("inet", "stream", { blocking: true });
			connect(client, getsockname(server));
			expect(getpeername(client)).toEqual(getsockname(server));
			expect(portOf(getsockname(client))).toBeGreaterThan(0);
			expect(refusal(() => connect(client, getsockname(server)))).toMatchObject({
				code: "EISCONN",
				syscall: "connect",
			});
			expect(refusal(() => listen(client))).toMatchObject({ code: "EINVAL", syscall: "listen" });
		});
	});

	test("a stream client that does not wait gets EINPROGRESS, and ECONNREFUSED afterwards where nobody listens", async () => {
		await using task = await inside();
		task.run(() => {
			using client = socket("inet", "stream");
			const address = { address: "127.0.0.1", port: 9 };
			expect(refusal(() => connect(client, address))).toMatchObject({ code: "EINPROGRESS", syscall: "connect" });
			expect(refusal(() => connect(client, address))).toMatchObject({ code: "ECONNREFUSED", syscall: "connect" });
			using waits = socket("inet", "stream", { blocking: true });
			expect(refusal(() => connect(waits, address))).toMatchObject({ code: "ECONNREFUSED", syscall: "connect" });
		});
	});

	test("in a new network namespace loopback is down: ENETUNREACH. Once it was up, other addresses are EADDRNOTAVAIL", async () => {
		await using task = await Task.clone(network);
		const refusalOf = (call: typeof bind, address: string) =>
			task.run(() => {
				using made = socket("inet", "stream");
				return refusal(() => call(made, { address, port: 9 }));
			});
		expect(refusalOf(connect, "127.0.0.1")).toMatchObject({ code: "ENETUNREACH", syscall: "connect" });
		// The kernel has no table of addresses yet, and takes any of IPv4.
		expect(refusalOf(bind, "198.51.100.1")).toEqual({});
		task.run(loopbackUp);
		expect(refusalOf(bind, "198.51.100.1")).toMatchObject({ code: "EADDRNOTAVAIL", syscall: "bind" });
		expect(refusalOf(connect, "127.0.0.1")).toMatchObject({ code: "EINPROGRESS", syscall: "connect" });
		expect(refusalOf(connect, "198.51.100.1")).toMatchObject({ code: "ENETUNREACH", syscall: "connect" });
	});

	test("a port below 1024 is EACCES without CAP_NET_BIND_SERVICE", async () => {
		await using task = await inside();
		const error = task.run(() => {
			dropCapabilities();
			using made = socket("inet", "stream");
			return refusal(() => bind(made, { address: "127.0.0.1", port: 80 }));
		});
		expect(error).toMatchObject({ code: "EACCES", syscall: "bind", task: `${task}` });
	});

	needs("an ordinary user").test("near, an ordinary user may not bind port 80", () => {
		using made = socket("inet", "stream");
		expect(refusal(() => bind(made, { address: "127.0.0.1", port: 80 }))).toMatchObject({
			code: "EACCES",
			syscall: "bind",
		});
	});

	test("what does not fit is refused by the kernel", () => {
		using inet = socket("inet", "stream");
		using unix = socket("unix", "stream");
		using dgram = socket("inet", "dgram");
		using file = openat2("/dev/null");
		expect(refusal(() => connect(inet, { address: "::1", port: 9 })).code).toBe("EAFNOSUPPORT");
		expect(refusal(() => bind(inet, { path: "\0a" })).code).toBe("EINVAL");
		expect(refusal(() => bind(unix, local)).code).toBe("EINVAL");
		expect(refusal(() => listen(unix))).toMatchObject({ code: "EINVAL", syscall: "listen" });
		expect(refusal(() => listen(dgram))).toMatchObject({ code: "EOPNOTSUPP", syscall: "listen" });
		expect(refusal(() => bind(file, local))).toMatchObject({ code: "ENOTSOCK", syscall: "bind" });
		bind(inet, local);
		expect(refusal(() => bind(inet, local))).toMatchObject({ code: "EINVAL", syscall: "bind" });
	});

	test("the backlog is 511 by default, and the kernel takes what somaxconn allows", async () => {
		await using task = await inside();
		const TCP_INFO = 11;
		task.run(() => {
			for (const [backlog, unacked] of [
				[undefined, 511],
				[0, 0],
				[7, 7],
				[2 ** 31 - 1, 4096],
			] as const) {
				using server = socket("inet", "stream");
				bind(server, local);
				listen(server, backlog);
				expect(getsockopt(server, 6, TCP_INFO).readUInt32LE(28)).toBe(unacked); // tcpi_sacked: the limit, of a server
			}
			using server = socket("inet", "stream");
			for (const wrong of [-1, 1.5, 2 ** 31]) {
				expect(refusal(() => listen(server, wrong)).code).toBe("ERR_OUT_OF_RANGE");
			}
		});
	});
});

describe("names and options", () => {
	test("a socket that is not connected has no peer", () => {
		using made = socket("inet", "stream");
		expect(refusal(() => getpeername(made))).toMatchObject({ code: "ENOTCONN", syscall: "getpeername" });
	});

	test("an option is set by a number or by bytes, near and far", async () => {
		await using task = await Task.clone();
		for (const run of [(fn: () => void) => fn(), (fn: () => void) => task.run(fn)]) {
			run(() => {
				using made = socket("inet", "stream");
				expect(optionOf(made, SO_REUSEADDR)).toBe(0);
				setsockopt(made, SOL_SOCKET, SO_REUSEADDR, 1);
				expect(optionOf(made, SO_REUSEADDR)).toBe(1);
				const [SO_LINGER, SO_BINDTODEVICE, SO_RCVTIMEO] = [13, 25, 20];
				setsockopt(made, SOL_SOCKET, SO_LINGER, Buffer.from(Int32Array.of(1, 5).buffer));
				expect([...new Int32Array(Uint8Array.from(getsockopt(made, SOL_SOCKET, SO_LINGER)).buffer)]).toEqual([1, 5]);
				expect(getsockopt(made, SOL_SOCKET, SO_BINDTODEVICE)).toHaveLength(0);
				expect(getsockopt(made, SOL_SOCKET, SO_RCVTIMEO)).toHaveLength(16);
				expect(getsockopt(made, SOL_SOCKET, SO_TYPE, 2)).toEqual(Buffer.from([1, 0]));
				expect(getsockopt(made, SOL_SOCKET, SO_TYPE, 0)).toHaveLength(0);
				expect(optionOf(made, SO_ERROR)).toBe(0);
				const TCP_CONGESTION = 13;
				setsockopt(made, 6, TCP_CONGESTION, Buffer.from("reno"));
				expect(getsockopt(made, 6, TCP_CONGESTION).toString()).toMatch(/^reno\0*$/);
			});
		}
	});

	test("wrong options are refused by the kernel, and wrong arguments before", () => {
		using made = socket("inet", "stream");
		expect(refusal(() => setsockopt(made, 1, 9999, 1))).toMatchObject({ code: "ENOPROTOOPT", syscall: "setsockopt" });
		expect(refusal(() => getsockopt(made, 1, 9999))).toMatchObject({ code: "ENOPROTOOPT", syscall: "getsockopt" });
		expect(refusal(() => setsockopt(made, 1, SO_REUSEADDR, Buffer.alloc(1))).code).toBe("EINVAL");
		expect(refusal(() => setsockopt(made, -1, 1, 1)).code).toBe("ERR_OUT_OF_RANGE");
		expect(refusal(() => setsockopt(made, 1, 1, 2 ** 32)).code).toBe("ERR_OUT_OF_RANGE");
		expect(refusal(() => setsockopt(made, 1, 1, "1" as unknown as number)).code).toBe("ERR_INVALID_ARG_TYPE");
		expect(refusal(() => getsockopt(made, 1, 1, -1)).code).toBe("ERR_OUT_OF_RANGE");
	});

	test("a number above 2147483647 keeps its bits, as for SO_MARK", async () => {
		await using task = await Task.clone(network);
		const SO_MARK = 36;
		task.run(() => {
			using made = socket("inet", "stream");
			setsockopt(made, SOL_SOCKET, SO_MARK, 0xffff_fffe);
			expect(getsockopt(made, SOL_SOCKET, SO_MARK).readUInt32LE()).toBe(0xffff_fffe);
		});
	});
});

describe("where", () => {
	test("a batch collects what returns nothing or a descriptor, and refuses the rest", async () => {
		await using task = await inside();
		const server = await task.batch(() => {
			const made = socket("inet", "stream");
			setsockopt(made, SOL_SOCKET, SO_REUSEADDR, 1);
			bind(made, { address: "127.0.0.1", port: 8080 });
			listen(made);
			using client = socket("inet", "stream", { blocking: true });
			connect(client, { address: "127.0.0.1", port: 8080 });
			return made;
		});
		expect(task.run(() => getsockname(server))).toEqual({ address: "127.0.0.1", port: 8080 });
		for (const call of [getsockname, getpeername, (fd: FileDescriptor) => getsockopt(fd, 1, 1)]) {
			await expect(task.batch(() => call(server))).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
		}
		await expect(
			task.batch(() => {
				const made = socket("unix", "stream");
				bind(made, { path: "/no/where" });
			}),
		).rejects.toMatchObject({ code: "ENOENT", syscall: "bind", path: "/no/where", step: 1 });
	});

	test("a descriptor of another table, a closed one, and a number that is not open", async () => {
		await using task = await Task.clone();
		using near = socket("inet", "stream");
		const closed = socket("inet", "stream");
		closed.close();
		const calls: ((fd: FileDescriptor) => unknown)[] = [
			(fd) => bind(fd, local),
			(fd) => listen(fd),
			(fd) => connect(fd, local),
			getsockname,
			getpeername,
			(fd) => setsockopt(fd, 1, 2, 1),
			(fd) => getsockopt(fd, 1, 2),
		];
		for (const call of calls) {
			expect(task.run(() => refusal(() => call(near))).code).toBe("ERR_NEARFAR_FD_TABLE_MISMATCH");
			expect(refusal(() => call(closed)).code).toBe("ERR_NEARFAR_CLOSED");
			expect(task.run(() => neverOpen((fd) => refusal(() => call(fd)))).code).toBe("EBADF");
			expect(refusal(() => call(3 as unknown as FileDescriptor)).code).toBe("ERR_INVALID_ARG_TYPE");
		}
	});

	test("a socket stays in its network namespace when Node has it", async () => {
		await using task = await inside();
		using far = task.run(() => socket("inet", "dgram"));
		using near = task.get(far);
		using mine = socket("inet", "dgram");
		bind(mine, local);
		const address: SocketAddress = getsockname(mine);
		bind(near, address); // the same port, in another network namespace
		expect(getsockname(near)).toEqual(address);
		expect(isRoot || portOf(address) >= 1024).toBe(true);
	});
});
