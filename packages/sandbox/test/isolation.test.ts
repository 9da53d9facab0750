import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { userInfo } from "node:os";
import { expect, test } from "vitest";
import { has, isRoot, needs } from "../../../test/needs.ts";
import { run } from "../src/index.ts";
import { folder, inside, succeeds, succeedsOutside } from "./attempts.ts";

const python = "/usr/bin/python3";
/** Makes a system call by number, and ends with its error number. */
const call = (nr: number, ...args: (number | string)[]) =>
	`${python} -c 'import ctypes,sys; l=ctypes.CDLL(None,use_errno=True); r=l.syscall(${[nr, ...args].join(",")}); sys.exit(ctypes.get_errno() if r < 0 else 0)'`;
const [EPERM, ENOSYS] = [1, 38];
const x64 = process.arch === "x64";

/** Returns the exit code of a shell in a sandbox of its own. */
async function code(script: string, options: Parameters<typeof run>[2] = {}): Promise<number | null> {
	return (await run("sh", ["-c", script], { preset: "closed", ...options })).code;
}

test("guarantee 3: no process outside is seen or signalled, and process 1 cannot be traced", async () => {
	const pids = (await inside("ls /proc | grep '^[0-9]*$' | tr '\\n' ' '")).split(" ").map(Number);
	expect(pids.slice(0, 2)).toEqual([1, 2]);
	expect(Math.max(...pids)).toBeLessThan(12);
	const child = spawn("sleep", ["1000"], { stdio: "ignore" });
	await once(child, "spawn");
	try {
		expect(succeedsOutside(`kill -0 ${child.pid}`)).toBe(true);
		expect(await succeeds(`kill -0 ${child.pid}`)).toBe(false);
	} finally {
		child.kill();
		await once(child, "exit");
	}
	for (const look of [
		"head -c 1 /proc/1/environ",
		"head -c 1 /proc/1/mem",
		"ls /proc/1/root/",
		"ls /proc/1/fd/",
		"ls /proc/1/cwd/",
	]) {
		expect([look, await succeeds(look)]).toEqual([look, false]);
	}
	expect(succeedsOutside("head -c 1 /proc/self/environ")).toBe(true);
	for (const signal of ["KILL", "STOP", "TERM"])
		expect(await inside(`kill -${signal} 1 2>/dev/null; echo lives`)).toBe("lives");
});

test("guarantee 4: no packet leaves, and loopback is the sandbox's own", async () => {
	const server = createServer((socket) => socket.on("error", () => {}).end("hello")).listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as { port: number };
	const connect = (to: string, at: number) =>
		`${python} -c 'import socket; socket.create_connection(("${to}", ${at}), 2)'`;
	try {
		expect(await succeeds(connect("127.0.0.1", port))).toBe(false);
		expect(succeedsOutside(connect("127.0.0.1", port))).toBe(true);
		expect(await succeeds(connect("127.0.0.1", port), { network: "host" })).toBe(true);
		const routes = await inside("cat /proc/net/route /proc/net/dev | grep -v lo: | wc -l");
		expect(Number(routes)).toBe(3); // headers
		expect(
			await succeeds(
				`${python} -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); s.listen(); socket.create_connection(s.getsockname(), 2)'`,
			),
		).toBe(true);
	} finally {
		server.close();
	}
	const { guarantees } = await run("true", [], { preset: "closed", network: "host" });
	expect(guarantees.network).toEqual({ relaxed: expect.any(String) });
});

test("guarantee 5: no capability in any set, none regained, no_new_privs, no user namespace, locked securebits", async () => {
	const status = await inside("grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status | cut -f2 | tr '\\n' ' '");
	expect(status).toBe(`${"0000000000000000 ".repeat(5)}1 2`);
	expect(await inside(`${python} -c 'import ctypes; print(ctypes.CDLL(None).prctl(27,0,0,0,0))'`)).toBe(
		`${0b1110_1111}`,
	);
	const options = { preset: "closed", syscalls: "all" } as const; // the kernel refuses these without the filter too
	for (const script of [
		"unshare -U true",
		"unshare -m true",
		"unshare -Ur true",
		"chroot / true",
		"hostname other",
		"mount -t tmpfs t /tmp",
	]) {
		expect([script, await succeeds(script, options), await succeeds(script)]).toEqual([script, false, false]);
	}
	expect(succeedsOutside("unshare -Ur true")).toBe(true);
});

test("SB-10 SB-24 guarantee 6: system calls of the default filter are refused, and programs work all the same", async () => {
	const numbers = x64
		? {
				keyctl: 250,
				bpf: 321,
				perf: 298,
				mount: 165,
				setns: 308,
				unshare: 272,
				userfaultfd: 323,
				settime: 227,
				handle: 304,
			}
		: {
				keyctl: 219,
				bpf: 280,
				perf: 241,
				mount: 40,
				setns: 268,
				unshare: 97,
				userfaultfd: 282,
				settime: 112,
				handle: 265,
			};
	for (const [name, nr] of Object.entries(numbers)) {
		const args = name === "unshare" ? [0x1000_0000] : [0, 0, 0, 0, 0];
		expect([name, await code(call(nr, ...args))]).toEqual([name, EPERM]);
	}
	for (const nr of [435, 425, 999]) expect([nr, await code(call(nr, 0, 0, 0))]).toEqual([nr, ENOSYS]); // clone3, io_uring_setup
	for (const [family, type] of [
		[40, 1],
		[38, 5],
		[17, 3],
		[21, 5],
	]) {
		expect([family, await code(call(x64 ? 41 : 198, family ?? 0, type ?? 0, 0))]).toEqual([family, EPERM]); // VSOCK, ALG, PACKET, RDS
	}
	const ioctl = x64 ? 16 : 29;
	for (const request of ["0x5412", "0x541c", "0xdeadbeef00005412"])
		expect([request, await code(call(ioctl, 0, request, 0))]).toEqual([request, EPERM]);
	expect(await code(call(ioctl, 0, "0x5413", 0))).not.toBe(EPERM);
	const threads =
		'import threading,subprocess,os; t=threading.Thread(target=print,args=(1,)); t.start(); t.join(); subprocess.run(["true"],check=True); print(os.access("/",os.R_OK))';
	expect(await inside(`${python} -c '${threads}'`)).toBe("1\nTrue");
	expect(await inside(`${python} -c 'import multiprocessing as m; s=m.Semaphore(1); s.acquire(); print("held")'`)).toBe(
		"held",
	); // SB-26
});

test("syscalls: rules and bytes of the caller, or none", async () => {
	const rules = { default: "allow", rules: [{ calls: ["mkdir", "mkdirat"], action: { errno: "EROFS" } }] } as const;
	expect(await succeeds("mkdir /tmp/x", { syscalls: rules })).toBe(false);
	expect(await succeeds("mkdir /tmp/x", { syscalls: "all" })).toBe(true);
	expect(await inside("grep ^Seccomp: /proc/self/status | cut -f2", { syscalls: "all" })).toBe(
		/^Seccomp:\s*(\d)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1],
	);
	const { guarantees } = await run("true", [], { preset: "closed", syscalls: "all" });
	expect(guarantees.systemCalls).toEqual({ relaxed: expect.any(String) });
});

test("guarantee 7: no descriptor, terminal, working directory or session of the caller", async () => {
	expect(await inside("ls /proc/self/fd | tr '\\n' ' '")).toBe("0 1 2 3"); // 3 is the folder that ls reads
	expect(await succeeds("true < /dev/tty")).toBe(false);
	expect(await inside("cut -d' ' -f5-8 /proc/self/stat")).toMatch(/^(\d+) \1 0 -1$|^2 2 0 -1$/);
	expect(await inside("pwd")).toBe("/");
	expect(await succeeds("grep -q . /proc/keys")).toBe(false);
});

needs("key rings").test("guarantee 7: the session keyring is not the caller's", async () => {
	const keyctl = x64 ? 250 : 219;
	const serial = `${python} -c 'import ctypes; print(ctypes.CDLL(None).syscall(${keyctl},0,-3,0))'`;
	const outside = await run("sh", ["-c", serial], { preset: "closed", syscalls: "all" });
	const again = await run("sh", ["-c", serial], { preset: "closed", syscalls: "all" });
	expect(Number(outside.stdout)).toBeGreaterThan(0);
	expect(outside.stdout).not.toBe(again.stdout);
});

test("guarantee 8: the environment is the usual variables and those that were named", async () => {
	process.env.NEARFAR_SECRET = "secret";
	process.env.LC_TEST = "C";
	try {
		const names = async (options: Parameters<typeof inside>[1]) =>
			(await inside("env | cut -d= -f1 | grep -v '^_$' | sort | tr '\\n' ' '", options)).split(" ");
		const usual = await names({});
		expect(usual).toEqual(expect.arrayContaining(["HOME", "LC_TEST", "PATH", "PWD", "TMPDIR"]));
		expect(usual.filter((name) => !/^(PATH|HOME|TERM|LANG|LC_.*|TZ|TMPDIR|PWD|SHLVL|OLDPWD)$/.test(name))).toEqual([]);
		expect(await inside("echo $NEARFAR_SECRET $A", { env: { A: "1", LC_TEST: undefined } })).toBe("1");
		expect(await inside("echo $NEARFAR_SECRET $A", { env: { inherit: ["NEARFAR_SECRET"], set: { A: "2" } } })).toBe(
			"secret 2",
		);
		const all = await run("sh", ["-c", "echo $NEARFAR_SECRET"], { preset: "closed", env: { inherit: true } });
		expect([all.stdout, all.guarantees.environment]).toEqual(["secret\n", { relaxed: expect.any(String) }]);
	} finally {
		delete process.env.NEARFAR_SECRET;
		delete process.env.LC_TEST;
	}
});

test("guarantee 11: what the kernel's files could change is read-only, and what tells about others is empty", async () => {
	for (const path of [
		"/proc/sys/kernel/hostname",
		"/proc/sys/vm/overcommit_memory",
		"/proc/sysrq-trigger",
		"/proc/irq/default_smp_affinity",
	]) {
		expect([path, await succeeds(`echo 1 > ${path}`)]).toEqual([path, false]);
	}
	expect(
		await inside("grep -E ' /proc/(sys|irq|bus|fs|sysrq-trigger) ' /proc/self/mountinfo | grep -vc ' ro[ ,]' || true"),
	).toBe("0");
	expect(await inside("cat /proc/keys /proc/key-users /proc/timer_list /proc/kcore 2>/dev/null | wc -c")).toBe("0");
	const options = { preset: "project", write: [folder()] } as const;
	expect(
		await inside("ls /sys/firmware /sys/devices/virtual/powercap 2>/dev/null | grep -v : | tr -d '\\n'", options),
	).toBe("");
	expect(await succeeds("test -w /sys/kernel/mm", options)).toBe(false);
});

test("the programs have the ids that were asked for, and a name", async () => {
	const own = isRoot ? 1000 : process.geteuid?.();
	expect(await inside("id -u; stat -c %u ~")).toBe(`${own}\n${own}`);
	expect(await inside("id -u; id -g; id -un", { user: { uid: 4242, gid: 4343 } })).toBe("4242\n4343\nsandbox");
	expect(await inside(`${python} -c 'import os,pwd; print(pwd.getpwuid(os.getuid()).pw_dir)'`)).toBe(
		await inside("echo ~"),
	);
	if (!isRoot)
		expect(await inside("id -un", { preset: "project", write: [folder()] })).toMatch(
			new RegExp(`^(${userInfo().username}|sandbox)$`),
		);
});

test("devices: the usual six, and those that are named", async () => {
	expect(await inside("ls /dev | tr '\\n' ' '")).toBe(
		"fd full null ptmx pts random shm stderr stdin stdout tty urandom zero",
	);
	expect(
		await inside(
			"head -c 3 /dev/urandom | wc -c; echo x > /dev/null; python3 -c 'import os; print(len(os.ttyname(os.openpty()[1])) > 5)'",
			{},
		),
	).toBe("3\nTrue");
	if (has("the device /dev/net/tun")) expect(await inside("ls /dev/net", { devices: ["/dev/net/tun"] })).toBe("tun");
});
