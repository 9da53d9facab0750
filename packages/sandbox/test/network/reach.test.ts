import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { chmodSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { Task } from "@nearfar/core";
import { listenInside } from "@nearfar/net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isRoot, needs, skipUnless } from "../../../../test/needs.ts";
import { run, type SandboxOptions } from "../../src/index.ts";
import "../attempts.ts"; // it opens what lives as long as the process

// Guarantee 4 and SB-10: what a program tries succeeds outside, and not in a sandbox, with a proxy or without one.

const shown = realpathSync(mkdtempSync(join(tmpdir(), "nearfar-reach-")));
const abstract = `nearfar-reach-${process.pid}`;
const path = join(shown, "socket");
const own = Object.values(networkInterfaces())
	.flat()
	.find((address) => address?.family === "IPv4" && !address.internal)?.address;

const tcp = createServer((socket) => socket.on("error", () => {}).end("hello"));
const unix = [1, 2].map(() => createServer((socket) => socket.on("error", () => {}).end("hello")));
const udp = createSocket("udp6").on("message", (_, { port, address }) => udp.send("hello", port, address));
let [tcpPort, udpPort] = [0, 0];

beforeAll(async () => {
	chmodSync(shown, 0o755);
	tcp.listen(0, "::");
	// Node 20 would fill an abstract name up with zeros.
	unix.map((server, index) => listenInside(Task.near, { path: index === 0 ? `\0${abstract}` : path }, server));
	udp.bind(0, "::");
	await Promise.all([once(tcp, "listening"), once(udp, "listening"), ...unix.map((each) => once(each, "listening"))]);
	chmodSync(path, 0o777);
	tcpPort = (tcp.address() as AddressInfo).port;
	udpPort = udp.address().port;
});

afterAll(() => {
	for (const server of [tcp, ...unix]) server.close();
	udp.close();
	rmSync(shown, { recursive: true });
});

const { test: attempt } = needs("the program python3");

/** The sandboxes in which an attempt has to fail. */
const sandboxes: readonly SandboxOptions[] = [
	{ preset: "closed", read: ["/usr", "/bin?", "/lib?", "/lib64?", shown] },
	{ preset: "closed", read: ["/usr", "/bin?", "/lib?", "/lib64?", shown], network: { allow: ["allowed.example"] } },
	{ preset: "project", write: [], cwd: "/", scratch: [shown], network: {} },
	{ preset: "closed", read: ["/usr", "/bin?", "/lib?", "/lib64?", shown], network: {}, syscalls: "all" },
];

/** Runs a script in each sandbox. Returns the codes. */
async function codes(script: string): Promise<(number | null)[]> {
	const results = await Promise.all(sandboxes.map((options) => run("/usr/bin/python3", ["-c", script], options)));
	return results.map(({ code }) => code);
}

/** Returns whether a script of Python ends with 0 outside. The servers of this process answer meanwhile. */
async function succeedsOutside(script: string, ...wrapper: readonly string[]): Promise<boolean> {
	const [file = "", ...args] = [...wrapper, "/usr/bin/python3", "-c", script];
	const [code] = await once(spawn(file, args, { stdio: "ignore" }), "close");
	return code === 0;
}

/** Expects that a script ends with 0 outside, perhaps under another program, and that it raises an error in all sandboxes. */
async function expectRefused(script: string, ...wrapper: readonly string[]): Promise<void> {
	expect([script, await succeedsOutside(script, ...wrapper)]).toEqual([script, true]);
	expect([script, ...(await codes(script))]).toEqual([script, 1, 1, 1, 1]);
}

const exchangeUdp = (family: string, address: string) =>
	`import socket; s=socket.socket(socket.${family},socket.SOCK_DGRAM); s.settimeout(2); s.sendto(b"x",("${address}",${udpPort})); assert s.recv(9)==b"hello"`;
const exchangeTcp = (address: string) =>
	`import socket; assert socket.create_connection(("${address}",${tcpPort}),2).recv(9)==b"hello"`;
const exchangeUnix = (address: string) =>
	`import socket; s=socket.socket(socket.AF_UNIX); s.connect("${address}"); assert s.recv(9)==b"hello"`;

attempt("guarantee 4: TCP to loopback and to the host's own address", async () => {
	await expectRefused(exchangeTcp("127.0.0.1"));
	if (await succeedsOutside(exchangeTcp("::1"))) await expectRefused(exchangeTcp("::1"));
	if (own !== undefined) await expectRefused(exchangeTcp(own));
});

attempt("guarantee 4: UDP to loopback and to the host's own address", async () => {
	await expectRefused(exchangeUdp("AF_INET", "127.0.0.1"));
	if (own !== undefined) await expectRefused(exchangeUdp("AF_INET", own));
});

attempt("guarantee 4: a raw socket, and a change of the loopback device", async () => {
	// An ordinary user may do it in namespaces of its own, which a program of a sandbox cannot make.
	const wrapper = isRoot ? [] : ["unshare", "-Urn"];
	await expectRefused("import socket; socket.socket(socket.AF_INET,socket.SOCK_RAW,socket.IPPROTO_ICMP)", ...wrapper);
	await expectRefused("import socket; socket.socket(socket.AF_PACKET,socket.SOCK_RAW)", ...wrapper);
	await expectRefused(
		'import socket,fcntl; fcntl.ioctl(socket.socket(),0x8914,b"lo".ljust(16,b"\\0")+b"\\0"*24)', // SIOCSIFFLAGS: lo is down
		"unshare",
		"-Urn",
	);
});

attempt("guarantee 4: abstract Unix sockets and bound ones in readable places", async () => {
	await expectRefused(exchangeUnix(`\\0${abstract}`));
	await expectRefused(exchangeUnix(path));
});

attempt("guarantee 4: /proc/net tells about no socket of the host", async () => {
	const finds = (file: string, text: string) =>
		`import sys; sys.exit("${text}" not in open("/proc/net/${file}").read())`;
	await expectRefused(finds("unix", `@${abstract}`));
	await expectRefused(finds("unix", path));
	await expectRefused(finds("tcp6", `:${tcpPort.toString(16).toUpperCase().padStart(4, "0")} `));
	await expectRefused(finds("udp6", `:${udpPort.toString(16).toUpperCase().padStart(4, "0")} `));
});

attempt("guarantee 4: the network of another process cannot be entered", async () => {
	// Process 1 of the sandbox has the same network, and a process outside is not in its /proc: a thread of the host's is asked for by pid.
	const enter = (pid: number) =>
		`import os,ctypes; l=ctypes.CDLL(None,use_errno=True); assert l.setns(os.open("/proc/${pid}/ns/net",os.O_RDONLY),0)==0`;
	if (isRoot) await expectRefused(enter(process.pid));
	else expect(await codes(enter(process.pid))).toEqual([1, 1, 1, 1]);
	expect(await codes(enter(1))).toEqual([1, 1, 1, 1]);
});

attempt("SB-10: families that leave a network namespace are refused, and the sockets of io_uring too", async () => {
	const call = process.arch === "x64" ? 41 : 198;
	const code = async (nr: number, ...args: number[]) => {
		const script = `import ctypes,sys; l=ctypes.CDLL(None,use_errno=True); r=l.syscall(${[nr, ...args]}); sys.exit(ctypes.get_errno() if r<0 else 0)`;
		const results = await Promise.all(
			sandboxes.slice(0, 2).map((options) => run("/usr/bin/python3", ["-c", script], options)),
		);
		return results.map(({ code }) => code);
	};
	const [EPERM, ENOSYS] = [1, 38];
	for (const [family, type] of [
		[40, 1], // AF_VSOCK
		[38, 5], // AF_ALG
		[17, 3], // AF_PACKET
		[16, 3], // AF_NETLINK is allowed
	] as const) {
		const expected = family === 16 ? 0 : EPERM;
		expect([family, ...(await code(call, family, type, 0))]).toEqual([family, expected, expected]);
	}
	expect(await code(425, 8, 0)).toEqual([ENOSYS, ENOSYS]); // io_uring_setup
});

attempt("guarantee 4: the proxy leads to no address of the host, of its networks or of a cloud", async () => {
	const targets = [`127.0.0.1:${tcpPort}`, `[::1]:${tcpPort}`, `0.0.0.0:${tcpPort}`, `localhost:${tcpPort}`];
	if (own !== undefined) targets.push(`${own}:${tcpPort}`);
	targets.push("169.254.169.254:80", "10.0.0.1:80", `[::ffff:127.0.0.1]:${tcpPort}`, `2130706433:${tcpPort}`);
	const script = `
import os,socket,sys,urllib.parse
p=urllib.parse.urlsplit(os.environ["HTTP_PROXY"])
for t in sys.argv[1:]:
  s=socket.create_connection((p.hostname,p.port)); s.sendall(f"CONNECT {t} HTTP/1.1\\r\\n\\r\\n".encode()); print(s.recv(12).decode())
`;
	const options = { preset: "closed", network: { allow: ["*.example"] } } as const;
	const { stdout, violations } = await run("/usr/bin/python3", ["-c", script, ...targets], options);
	expect(stdout).toBe("HTTP/1.1 403\n".repeat(targets.length));
	expect(violations).toHaveLength(targets.length);
	expect(violations.every(({ kind }) => kind === "connect")).toBe(true);
});

attempt('with network: "host" the same attempts succeed, and the guarantee says so', async () => {
	const options = { preset: "closed", network: "host" } as const;
	for (const script of [
		exchangeTcp("127.0.0.1"),
		exchangeUdp("AF_INET", "127.0.0.1"),
		exchangeUnix(`\\0${abstract}`),
	]) {
		const { code, guarantees, stderr } = await run("/usr/bin/python3", ["-c", script], options);
		expect([code, stderr, guarantees.network]).toEqual([0, "", { relaxed: expect.stringContaining("abstract") }]);
	}
});

test("SB-19 loopback is up in every sandbox, for both families", async () => {
	const script =
		'import socket; [socket.create_connection(s.getsockname()[:2],2) for s in (socket.create_server(("127.0.0.1",0)),socket.create_server(("::1",0),family=socket.AF_INET6))]';
	skipUnless(await succeedsOutside(script), "python3 and IPv6");
	expect(await codes(script)).toEqual([0, 0, 0, 0]);
});
