// The first attempts of a hostile program. The program runs in the sandbox, with nothing but Node's own modules.
import { spawnSync } from "node:child_process";
import {
	accessSync,
	closeSync,
	constants,
	openSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { createConnection } from "node:net";

/** Facts about the host, as if the program had been there before. */
export interface Knowledge {
	readonly home: string;
	/** Device and inode. */
	readonly homeId: string;
	readonly rootId: string;
	/** A file of the host that every user may read and write. */
	readonly marker: string;
	/** The port of a server on 127.0.0.1 of the host. */
	readonly port: number;
	/** Where the sandbox is one of `@nearfar/sandbox`: what it promises beyond that of `isolate.ts` is tried too. */
	readonly project?: {
		/** Whether the working directory is a project that may be written, with `.git` and `.env`. */
		readonly isWritable: boolean;
		/** The name of an abstract Unix socket of the host. */
		readonly socket: string;
	};
}

/** The result of an attempt that threw no error. `succeeded: false` means that the result holds nothing of the host. */
interface Outcome {
	readonly succeeded: boolean;
	readonly got: string;
}

type Attempt = () => string | Outcome | Promise<string>;

// The loopback device, and the devices that a new network namespace has if the modules of these tunnels are loaded. The
// devices are down.
const harmless = ["lo", "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"];
const knowledge: Knowledge = JSON.parse(process.argv[1] ?? "");
// The numbers of system calls from 424 on are those of every architecture.
const numbers =
	process.arch === "arm64"
		? {
				mount: 40,
				umount2: 39,
				pivotRoot: 41,
				socket: 198,
				keyctl: 219,
				addKey: 217,
				ptrace: 117,
				ioctl: 29,
				bpf: 280,
				perf: 241,
				userfaultfd: 282,
				handle: 265,
				connect: 203,
			}
		: {
				mount: 165,
				umount2: 166,
				pivotRoot: 155,
				socket: 41,
				keyctl: 250,
				addKey: 248,
				ptrace: 101,
				ioctl: 16,
				bpf: 321,
				perf: 298,
				userfaultfd: 323,
				handle: 304,
				connect: 42,
			};
const MS = { REMOUNT: 0x20, BIND: 0x1000, MOVE: 0x2000, REC: 0x4000, PRIVATE: 0x40000, SHARED: 0x100000 };
const MNT_DETACH = 2;
const AT_FDCWD = "-100";

/** Prefixes of a path of the host. Each of them might lead out of the sandbox. */
const up = "/..".repeat(9);
const ways: Record<string, string> = {
	"by its path": "",
	"above /": up,
	"above /proc/self/root": `/proc/self/root${up}`,
	"above /proc/self/cwd": `/proc/self/cwd${up}`,
	"behind /proc/1/root": "/proc/1/root",
	"above /proc/1/cwd": `/proc/1/cwd${up}`,
};

/** Mounts of the sandbox, and names at which a builder mounts something or makes a link. */
const mounted = ["/dev/shm", "/tmp", "/proc", "/dev/null", "/usr", "/"];
const named = ["/dev/fd", "/dev/null", "/dev/shm", "/proc", "/tmp", "/usr", "/etc"];

const attempts: Record<string, Attempt> = {
	"read the caller's home": () =>
		`${isSame(knowledge.home, knowledge.homeId)}: ${readdirSync(knowledge.home).length} names`,
	"read /etc/shadow": () => readFileSync("/etc/shadow", "utf8"),
	"find the old root above": () => isSame("/..", knowledge.rootId),
	"find the old root behind pid 1": () => `${readdirSync("/proc/1/root").length} names`,
	...Object.fromEntries(
		Object.entries(ways).map(([name, way]) => [`reach a file ${name}`, () => reach(`${way}${knowledge.marker}`)]),
	),
	"reach a file by a link": () =>
		anyOf(Object.values(ways), (way) => {
			rmSync("/tmp/link", { force: true });
			symlinkSync(`${way}${knowledge.marker}`, "/tmp/link");
			return reach("/tmp/link");
		}),
	"reach a file by a descriptor": () =>
		anyOf(readdirSync("/proc/self/fd"), (fd) => reach(`/proc/self/fd/${fd}${up}${knowledge.marker}`)),
	"see the old root among the mounts": () => {
		const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
		const [device] = knowledge.rootId.split(":").map(Number);
		const found = mounts.filter((line) => deviceOf(line) === device && line.split(" ")[3] === "/");
		return { succeeded: found.length > 0, got: found[0] ?? `${mounts.length - 1} mounts, each one of a part or new` };
	},
	"write to /usr": () => write("/usr/hostile"),
	"write to /": () => write("/hostile"),
	"see other processes": () => {
		const others = readdirSync("/proc").filter((name) => Number(name) > 1 && Number(name) !== process.pid);
		return { succeeded: others.length > 0, got: `${others.length}, but for pid 1 of the sandbox` };
	},
	"signal other processes": () => `${process.kill(-1, 0)}`,
	"take a descriptor of pid 1": () => `${openSync(`/proc/1/fd/${readdirSync("/proc/1/fd")[0]}`, "r")}`,
	"open the program of pid 1": () => `${openSync("/proc/1/exe", "r")}`,
	"read the memory of pid 1": () =>
		`${readdirSync("/proc/1/map_files").length} pieces, ${openSync("/proc/1/mem", "r")}`,
	"connect to the host": () => connect(knowledge.port),
	"find a network link": () => {
		const links = readFileSync("/proc/net/dev", "utf8").match(/^ *\S+(?=:)/gm) ?? [];
		const others = links.map((link) => link.trim()).filter((link) => !harmless.includes(link));
		return { succeeded: others.length > 0, got: others.join(", ") || "only lo, and it is down" };
	},
	"remount /usr writable": () => run("mount", "-o", "remount,bind,rw", "/usr"),
	"mount a tmpfs": () => run("mount", "-t", "tmpfs", "none", "/tmp"),
	"mount a proc": () => call(numbers.mount, '"none"', '"/tmp"', '"proc"', "0", "0"),
	"show / in another place": () => call(numbers.mount, '"/"', '"/tmp"', "0", `${MS.BIND | MS.REC}`, "0"),
	"move a mount": () => {
		call(numbers.mount, '"/dev/shm"', '"/tmp"', "0", `${MS.MOVE}`, "0");
		return call(numbers.mount, '"/tmp"', '"/dev/shm"', "0", `${MS.MOVE}`, "0");
	},
	"move a mount by move_mount": () => {
		call(429, AT_FDCWD, '"/dev/shm"', AT_FDCWD, '"/tmp"', "0");
		return call(429, AT_FDCWD, '"/tmp"', AT_FDCWD, '"/dev/shm"', "0");
	},
	"share the mounts": () => {
		call(numbers.mount, "0", '"/"', "0", `${MS.REC | MS.SHARED}`, "0");
		return call(numbers.mount, "0", '"/"', "0", `${MS.REC | MS.PRIVATE}`, "0");
	},
	"remount what is mounted": () =>
		anyOf(mounted, (path) => call(numbers.mount, "0", `"${path}"`, "0", `${MS.BIND | MS.REMOUNT}`, "0")),
	// open_tree, OPEN_TREE_CLONE and AT_RECURSIVE.
	"copy the tree of /": () => call(428, AT_FDCWD, '"/"', "0x8001"),
	"open a file system by fsopen": () => call(430, '"tmpfs"', "0"),
	"reconfigure one by fspick": () => anyOf(mounted, (path) => call(433, AT_FDCWD, `"${path}"`, "0")),
	// mount_setattr, AT_RECURSIVE: it takes MOUNT_ATTR_RDONLY away.
	"make /usr writable by attributes": () => call(442, AT_FDCWD, '"/usr"', "0x8000", 'pack("Q4", 0, 1, 0, 0)', "32"),
	"unmount what is mounted": () => anyOf(mounted, (path) => call(numbers.umount2, `"${path}"`, `${MNT_DETACH}`)),
	"replace a place": () =>
		anyOf(named, (name) => {
			renameSync(name, `${name}.old`); // a link could take the place, for the next one that mounts something there
			renameSync(`${name}.old`, name);
			return `${name} can be renamed`;
		}),
	"enter the mounts of pid 1": () => run("nsenter", "--mount=/proc/1/ns/mnt", "true"),
	"enter its own mounts again": () => run("nsenter", "--mount=/proc/self/ns/mnt", "true"),
	"get a mount namespace": () => run("unshare", "--mount", "true"),
	"get a user namespace": () => run("unshare", "--user", "--map-root-user", "true"),
	"change the root": () => run("chroot", "/tmp", "true"),
	"make a device": () => run("mknod", "/tmp/disk", "b", "8", "0"),
	"become root": () => `${process.setuid?.(0)}`,
	"become root by a set-uid program": () => run("su", "root", "-c", "true"),
	"have a capability": () => {
		const sets = readFileSync("/proc/self/status", "utf8").match(/^Cap\w+:.*[1-9a-f]\w*$/gm) ?? [];
		return { succeeded: sets.length > 0, got: sets.join(", ") || "none, in any of the five sets" };
	},
	"write kernel.core_pattern": () => openForWriting("/proc/sys/kernel/core_pattern"),
	"write kernel.hostname": () => openForWriting("/proc/sys/kernel/hostname"),
	"allow user namespaces again": () => openForWriting("/proc/sys/user/max_user_namespaces"),
	"press a magic system request key": () => openForWriting("/proc/sysrq-trigger"),
	...(knowledge.project && beyond(knowledge.project)),
	// The last attempt: once it succeeds, no program of the system is there.
	"pivot the root": () => call(numbers.pivotRoot, '"/tmp"', '"/tmp"'),
};

/** What a sandbox of `@nearfar/sandbox` refuses beside the rest. */
function beyond({ isWritable, socket }: NonNullable<Knowledge["project"]>): Record<string, Attempt> {
	const [AF_UNIX, AF_ALG, AF_VSOCK, SOCK_STREAM] = [1, 38, 40, 1];
	// Node pads the name of an abstract socket with zeros, or does not, from version to version.
	const addresses = ["a*", "a108"].map((form) => `connect(S, pack("S ${form}", ${AF_UNIX}, "\\0${socket}"))`);
	return {
		"read a secret of the environment": () => {
			const { NEARFAR_DEMO_SECRET: secret } = process.env;
			return {
				succeeded: secret !== undefined,
				got: `${Object.keys(process.env).length} variables, none of them named as secret`,
			};
		},
		"connect to an abstract socket": () =>
			run(
				"perl",
				"-e",
				`socket(S, ${AF_UNIX}, ${SOCK_STREAM}, 0) or die "$!\\n"; ${addresses.join(" or ")} or die "$!\\n"`,
			),
		"connect to the network": () => connect(80, "192.0.2.1"),
		"talk to the hypervisor (AF_VSOCK)": () => call(numbers.socket, `${AF_VSOCK}`, `${SOCK_STREAM}`, "0"),
		"use the kernel's ciphers (AF_ALG)": () => call(numbers.socket, `${AF_ALG}`, "5", "0"),
		"set up io_uring": () => call(425, "1", '"\\0" x 120'),
		"read the session keyring": () => call(numbers.keyctl, "0", "-3", "1"),
		"add a key": () => call(numbers.addKey, '"user"', '"hostile"', '"x"', "1", "-4"),
		"load a program of BPF": () => call(numbers.bpf, "0", '"\\0" x 72', "72"),
		"watch performance events": () => call(numbers.perf, '"\\0" x 128', "0", "-1", "-1", "0"),
		"handle page faults": () => call(numbers.userfaultfd, "1"),
		"open a file by its handle": () => call(numbers.handle, AT_FDCWD, 'pack("LLQ", 8, 1, 2)', "0"),
		"type into a terminal (TIOCSTI)": () => call(numbers.ioctl, "0", "0x5412", '"x"'),
		"type by a number of 64 bits": () => call(numbers.ioctl, "0", "0x100005412", '"x"'),
		"trace pid 1": () => call(numbers.ptrace, "16", "1", "0", "0"),
		"make a call that has no name yet": () => call(999),
		...(isWritable && {
			"read .env of the project": () => {
				const text = readFileSync(".env", "utf8");
				return { succeeded: text !== "", got: "it is empty" };
			},
			"write a hook of git": () => write(".git/hooks/pre-commit"),
			"replace .git": () => {
				renameSync(".git", "out/git");
				return "moved";
			},
			"replace .env": () => {
				renameSync(".env", "out/env");
				return "moved";
			},
		}),
	};
}

let succeeded = 0;
for (const [name, attempt] of Object.entries(attempts)) {
	const outcome = await make(attempt);
	if (outcome.succeeded) succeeded++;
	console.log(`${name.padEnd(36)}${(outcome.succeeded ? "SUCCEEDED" : "refused").padEnd(11)}${outcome.got}`);
}
console.log(`${Object.keys(attempts).length} attempts, ${succeeded} succeeded`);
process.exitCode = succeeded > 0 ? 1 : 0;

async function make(attempt: Attempt): Promise<Outcome> {
	try {
		const got = await attempt();
		return typeof got === "string" ? { succeeded: true, got: got.slice(0, 40) } : got;
	} catch (error) {
		return { succeeded: false, got: (error as Error).message.slice(0, 75) };
	}
}

function isSame(path: string, id: string): string {
	const { dev, ino } = statSync(path);
	if (`${dev}:${ino}` !== id) throw new Error("there is another directory of that name");
	return "it is there";
}

function write(path: string): string {
	writeFileSync(path, "");
	return "written";
}

/** Reads and writes a file of the host. */
function reach(path: string): string {
	readFileSync(path);
	try {
		writeFileSync(path, "hostile");
	} catch {
		return "read";
	}
	return "read and written";
}

/** Tries something with each of several things. Returns the first result, or throws the last error. */
function anyOf(things: readonly string[], attempt: (thing: string) => string): string {
	let last: unknown = new Error("there is nothing to try it with");
	for (const thing of things) {
		try {
			return `${thing || "/"}: ${attempt(thing)}`;
		} catch (error) {
			last = error;
		}
	}
	throw last;
}

/** Returns the number that stat(2) has for the device of a line of mountinfo. */
function deviceOf(line: string): number {
	const [major = 0, minor = 0] = (line.split(" ")[2] ?? "").split(":").map(Number);
	return (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
}

/** Opens a file for writing without changing it, so that success does no harm. */
function openForWriting(path: string): string {
	accessSync(path, constants.F_OK);
	closeSync(openSync(path, "r+"));
	return "opened";
}

function run(program: string, ...args: string[]): string {
	const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8", stdio: ["ignore", "ignore", "pipe"] });
	if (error) throw error;
	if (status !== 0) throw new Error(stderr.trim().split("\n")[0] || `status ${status}`);
	return "done";
}

/** Makes a system call by its number. Node cannot, and Perl is on most systems. Arguments are expressions of Perl. */
function call(...numberAndArguments: [number, ...string[]]): string {
	const script = `($number, @rest) = (${numberAndArguments.join(", ")}); exit 0 if syscall($number, @rest) >= 0; die "$!\n"`;
	return run("perl", "-e", script);
}

function connect(port: number, host = "127.0.0.1"): Promise<string> {
	return new Promise((resolve, reject) => {
		const socket = createConnection(port, host, () => {
			socket.destroy();
			resolve("connected");
		});
		socket.on("error", reject);
	});
}
