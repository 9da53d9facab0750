// The first attempts of a hostile program. The program runs in the sandbox, with nothing but Node's own modules.
import { spawnSync } from "node:child_process";
import {
	accessSync,
	closeSync,
	constants,
	openSync,
	readdirSync,
	readFileSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { createConnection } from "node:net";

/** Facts about the host, as if the program had been there before. */
export interface Knowledge {
	readonly home: string;
	/** Device and inode. */
	readonly homeId: string;
	readonly rootId: string;
	/** The port of a server on 127.0.0.1 of the host. */
	readonly port: number;
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

const attempts: Record<string, Attempt> = {
	"read the caller's home": () =>
		`${isSame(knowledge.home, knowledge.homeId)}: ${readdirSync(knowledge.home).length} names`,
	"read /etc/shadow": () => readFileSync("/etc/shadow", "utf8"),
	"find the old root above": () => isSame("/..", knowledge.rootId),
	"find the old root behind pid 1": () => `${readdirSync("/proc/1/root").length} names`,
	"write to /usr": () => write("/usr/hostile"),
	"write to /": () => write("/hostile"),
	"see other processes": () => {
		const others = readdirSync("/proc").filter((name) => Number(name) > 1 && Number(name) !== process.pid);
		return { succeeded: others.length > 0, got: `${others.length}, but for pid 1 of the sandbox` };
	},
	"signal other processes": () => `${process.kill(-1, 0)}`,
	"take a descriptor of pid 1": () => `${openSync(`/proc/1/fd/${readdirSync("/proc/1/fd")[0]}`, "r")}`,
	"connect to the host": () => connect(knowledge.port),
	"find a network link": () => {
		const links = readFileSync("/proc/net/dev", "utf8").match(/^ *\S+(?=:)/gm) ?? [];
		const others = links.map((link) => link.trim()).filter((link) => !harmless.includes(link));
		return { succeeded: others.length > 0, got: others.join(", ") || "only lo, and it is down" };
	},
	"remount /usr writable": () => run("mount", "-o", "remount,bind,rw", "/usr"),
	"mount a tmpfs": () => run("mount", "-t", "tmpfs", "none", "/tmp"),
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
};

let succeeded = 0;
for (const [name, attempt] of Object.entries(attempts)) {
	const outcome = await make(attempt);
	if (outcome.succeeded) succeeded++;
	console.log(`${name.padEnd(34)}${(outcome.succeeded ? "SUCCEEDED" : "refused").padEnd(11)}${outcome.got}`);
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

function connect(port: number): Promise<string> {
	return new Promise((resolve, reject) => {
		const socket = createConnection(port, "127.0.0.1", () => {
			socket.destroy();
			resolve("connected");
		});
		socket.on("error", reject);
	});
}
