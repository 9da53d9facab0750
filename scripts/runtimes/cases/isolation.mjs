// Namespaces, mounts, capabilities and credentials.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { capget, dropCapabilities } from "@nearfar/caps";
import { mkdir, openat2, statx, Task } from "@nearfar/core";
import {
	getegid,
	geteuid,
	getgid,
	getgroups,
	getpid,
	getresuid,
	getsid,
	getuid,
	setresuid,
	setsid,
} from "@nearfar/credentials";
import { landlock, landlockAbi } from "@nearfar/landlock";
import { mount, mountSetattr, moveMount, openTree, umount } from "@nearfar/mount";
import { namespaceKinds, sethostname, setns, unshare } from "@nearfar/namespaces";
import { run, setNoNewPrivs } from "@nearfar/process";
import { installFilter } from "@nearfar/seccomp";
import { equal, startProgram, throws, truthy, withRoot, withTask } from "../tools.mjs";

export const isolation = {
	"a host name is set inside, and nowhere else": () =>
		withRoot(["uts"], async (task) => {
			const before = hostname();
			task.run(() => sethostname("inside"));
			await task.exec("sh", ["sh", "-c", 'test "$(uname -n)" = inside']).check();
			equal(hostname(), before);
		}),
	"the first process of a pid namespace": () =>
		withRoot(["pid"], async (task) => {
			equal(task.run(getpid), 1);
			await task.exec("sh", ["sh", "-c", 'test "$$ $(id -u)" = "1 0"']).check();
		}),
	"unshare and setns": () =>
		withRoot([], async (task) => {
			task.run(() => unshare(["uts", "ipc"]));
			const uts = task.run(() => openat2(`/proc/self/ns/${namespaceKinds.uts.proc}`));
			const other = await task.clone();
			task.run(() => setns(uts, ["uts"]));
			await other[Symbol.asyncDispose]();
		}),
	"a filter of system calls, in a task and in a program": async () => {
		const seccomp = { default: "allow", rules: [{ calls: ["mkdir", "mkdirat"], action: { errno: "EROFS" } }] };
		await withTask({}, (task) =>
			task.run(() => {
				setNoNewPrivs();
				installFilter(seccomp);
				throws(() => mkdir("/tmp/nearfar-filtered"), "EROFS");
			}),
		);
		equal((await run("mkdir", ["/tmp/nearfar-filtered"], { noNewPrivs: true, seccomp })).code, 1);
	},
	"a domain of Landlock, in a task and in a program": async () => {
		if (landlockAbi() === 0) return;
		const system = { at: "/usr", allow: ["run"], kind: "directory" };
		await withTask({}, (task) =>
			task.run(() => {
				truthy(landlock({ paths: [system] }, { drop: "any" }).fs.includes("makeDir"));
				throws(() => mkdir("/tmp/nearfar-restricted"), "EACCES");
			}),
		);
		const inDomain = { landlock: { paths: [system], drop: "any" } };
		truthy((await run("mkdir", ["/tmp/nearfar-restricted"], inDomain)).code > 0);
	},
	"near, unshare is refused": () => {
		throws(() => unshare(["mnt"]), "ERR_NEARFAR_MULTITHREADED");
	},
	"a file system is mounted inside, and nowhere else": () =>
		withRoot(["mnt"], (task) =>
			task.run(() => {
				mount("scratch", "/mnt", "tmpfs", { flags: ["nosuid", "nodev"], data: "size=1m" });
				mkdir("/mnt/made");
				equal(statx("/mnt/made").type, "directory");
				truthy(!existsSync("/mnt/made"));
				mountSetattr("/mnt", { set: ["rdonly"] });
				throws(() => mkdir("/mnt/more"), "EROFS");
				umount("/mnt", { flags: ["detach"] });
			}),
		),
	"a tree of mounts is copied and moved": () =>
		withRoot(["mnt"], (task) =>
			task.run(() => {
				mount(null, "/", null, { flags: ["rec", "private"] });
				mount("scratch", "/mnt", "tmpfs");
				mkdir("/mnt/place");
				const tree = openTree("/usr", { flags: ["clone"] });
				moveMount(tree, "/mnt/place");
				equal(statx("/mnt/place/bin").type, "directory");
			}),
		),
	"a refused mount names its target": () =>
		withTask({}, (task) => {
			equal(throws(() => task.run(() => mount("x", "/no/such/place", "tmpfs")), "ENOENT").syscall, "mount");
		}),
	"capabilities are read, and dropped": () =>
		withRoot([], (task) =>
			task.run(() => {
				truthy(capget().effective.has("sysAdmin"));
				dropCapabilities();
				equal(capget().permitted.bits, 0n);
			}),
		),
	"capabilities of this process": () => {
		const line = /^CapEff:\t([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"));
		equal(capget().effective.bits, BigInt(`0x${line[1]}`));
	},
	"the ids of this process and of a task": () =>
		withTask({}, (task) => {
			equal(getuid(), process.getuid());
			equal(geteuid(), process.geteuid());
			equal(getgid(), process.getgid());
			equal(getegid(), process.getegid());
			truthy(Array.isArray(getgroups()));
			task.run(() => setsid());
			equal(getsid(task.pid), task.pid);
		}),
	"the ids of a task are set": () =>
		withRoot([], (task) =>
			task.run(() => {
				setresuid(0, 0, 0);
				equal(getresuid().saved, 0);
				throws(() => setresuid(5, 5, 5), "EINVAL"); // not mapped
			}),
		),
	"near, one thread's ids are not changed": () => {
		truthy(Task.near.isNear);
		throws(() => setresuid(getuid(), getuid(), getuid()), "ERR_NEARFAR_MULTITHREADED");
	},
	"with { process: true } every thread is changed": async () => {
		const { child, line, ended } = startProgram("threads.mjs");
		const { pid, made } = JSON.parse(await line);
		equal(made, 100);
		const status = (tid) => {
			try {
				return [readFileSync(`/proc/${pid}/task/${tid}/status`, "latin1")];
			} catch (error) {
				if (error.code === "ENOENT" || error.code === "ESRCH") return []; // the thread has ended meanwhile
				throw error;
			}
		};
		const texts = readdirSync(`/proc/${pid}/task`).flatMap(status);
		truthy(texts.length > 1 && texts.every((text) => text.includes("\nNoNewPrivs:\t1\n")));
		child.kill("SIGKILL");
		await ended;
	},
	"a program in namespaces of its own": () =>
		withRoot([], async () => {
			const options = { namespaces: ["user", "mnt", "pid", "net", "uts", "ipc"], idMap: "root", init: true };
			equal(
				(await run("sh", ["-c", 'echo "$(id -u)"; ls /sys/class/net 2>/dev/null | wc -l >/dev/null'], options)).stdout,
				"0\n",
			);
		}),
};
