import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chdir, chroot, type NamespaceKind, openat2, Task } from "@nearfar/core";
import { unshare } from "@nearfar/namespaces";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { forbid, forbidNamespaces } from "../../../test/seccomp.ts";
import { status } from "../../../test/status.ts";
import { hintOf } from "./hint-of.ts";
import { arm64, capable, own, powerless } from "./tasks.ts";

const [UNSHARE, CLONE3, EPERM, ENOSYS] = [arm64 ? 97 : 272, 435, 1, 38];
const NANOSLEEP = arm64 ? 101 : 35;
const LONG = new Uint8Array(new BigInt64Array([1000n, 0n]).buffer); // struct timespec

/** Sets a sysctl of the user namespace of a task. */
function limit(task: Task, name: string, value: number): void {
	task.run(() => {
		using file = openat2(`/proc/sys/user/${name}`, { flags: ["wronly"] });
		file.write(`${value}`);
	});
}

/** Waits until a task sleeps, and returns how often the task has begun to sleep. The task sleeps between its calls. */
function sleepsOfIdle(pid: number): number {
	while (!status(pid, "State")?.startsWith("S"));
	return Number(status(pid, "voluntary_ctxt_switches"));
}

/** The three ways in which a task makes a namespace. */
const ways: [how: string, syscall: string, make: (task: Task, kinds: NamespaceKind[]) => unknown][] = [
	["run", "unshare", (task, kinds) => task.run(() => unshare(kinds))],
	["batch", "unshare", (task, kinds) => task.batch(() => unshare(kinds))],
	[
		"clone",
		"clone3",
		(task, kinds) => task.clone({ namespaces: kinds, ...(kinds.includes("user") && { idMap: "none" }) }),
	],
];

for (const [how, syscall, make] of ways) {
	needs("/proc", "sysctls that can be written", "net namespaces").test(
		`bubblewrap #371 ENOSPC by ${how} names the file of a limit that is 0`,
		async () => {
			await using task = await own();
			limit(task, "max_net_namespaces", 0);
			const hint = await hintOf("ENOSPC", syscall, () => make(task, ["net"]));
			for (const word of ["/proc/sys/user/max_net_namespaces", "is 0", "disk", "as root of this user namespace"])
				expect(hint).toContain(word);
		},
	);

	needs("/proc", "sysctls that can be written", "uts namespaces").test(
		`systemd #35311 ENOSPC by ${how} names the value of a limit that is used up`,
		async () => {
			await using task = await own();
			limit(task, "max_uts_namespaces", 1);
			await using _first = await task.clone({ namespaces: ["uts"] });
			const hint = await hintOf("ENOSPC", syscall, () => make(task, ["uts"]));
			for (const word of ["/proc/sys/user/max_uts_namespaces", "is 1"]) expect(hint).toContain(word);
		},
	);

	needs("/proc").test(`gvisor #144 EPERM of a user namespace in a chroot, by ${how}, says so`, async () => {
		const folder = mkdtempSync(join(tmpdir(), "nearfar-chroot-"));
		try {
			await using task = await own("mnt");
			task.run(() => {
				chroot(folder);
				chdir("/");
			});
			expect(await hintOf("EPERM", syscall, () => make(task, ["user"]))).toContain("chroot");
		} finally {
			rmdirSync(folder);
		}
	});

	needs("/proc").test(
		`EPERM of a user namespace by ${how} names the ids that the present one does not map`,
		async () => {
			await using task = await Task.clone({ namespaces: ["user"], idMap: "none" });
			const hint = await hintOf("EPERM", syscall, () => make(task, ["user"]));
			for (const word of ["map", `uid ${process.geteuid?.()}`, `gid ${process.getegid?.()}`])
				expect(hint).toContain(word);
		},
	);

	needs("/proc", "uts namespaces").test(
		`codex #13624 EPERM by ${how} without CAP_SYS_ADMIN says: add "user"`,
		async () => {
			await using task = await powerless();
			const hint = await hintOf("EPERM", syscall, () => make(task, ["uts"]));
			for (const word of ["CAP_SYS_ADMIN", 'add "user"', "uts"]) expect(hint).toContain(word);
		},
	);
}

needs("/proc").test(
	"moby #43086 EPERM of a seccomp filter names the filter, when nothing else explains it",
	async () => {
		await using task = await Task.clone();
		forbid(task, UNSHARE, EPERM);
		const hint = await hintOf("EPERM", "unshare", () => task.run(() => unshare(["user"])));
		for (const word of ["seccomp", "probably", "unshare"]) expect(hint).toContain(word);
	},
);

needs("/proc").test("a hint names clone(2) where clone(2) was made, and not clone3(2)", async () => {
	await using task = await Task.clone();
	forbidNamespaces(task);
	const hint = await hintOf("EPERM", "clone3", () => task.clone({ namespaces: ["user"], idMap: "none" }));
	expect(hint).toContain("the EPERM of clone:");
});

needs("/proc").test(
	"bubblewrap #284 a user namespace inside of 33 others is ENOSPC, and the hint says how deep it is",
	async () => {
		const tasks: Task[] = [];
		try {
			let refused: unknown;
			for (let task = await own(); ; ) {
				tasks.push(task);
				const next = await task.clone({ namespaces: ["user"], idMap: "root" }).catch((error) => {
					refused = error;
				});
				if (!next) break;
				task = next;
			}
			const hint = await hintOf("ENOSPC", "clone3", () => Promise.reject(refused));
			for (const word of ["32", "user namespaces", "disk"]) expect(hint).toContain(word);
			expect(tasks.length).toBeLessThan(34);
		} finally {
			for (const task of tasks.reverse()) await task[Symbol.asyncDispose]();
		}
	},
);

needs("/proc", "pid namespaces").test(
	"a pid namespace inside of 32 others is ENOSPC, and the hint says how deep it is",
	async () => {
		const tasks: Task[] = [];
		try {
			let refused: unknown;
			for (let task = await own("pid"); ; ) {
				tasks.push(task);
				const next = await task.clone({ namespaces: ["pid"] }).catch((error) => {
					refused = error;
				});
				if (!next) break;
				task = next;
			}
			const hint = await hintOf("ENOSPC", "clone3", () => Promise.reject(refused));
			for (const word of ["32", "pid namespaces"]) expect(hint).toContain(word);
		} finally {
			for (const task of tasks.reverse()) await task[Symbol.asyncDispose]();
		}
	},
);

needs("pid namespaces").test("moby #23342 ENOMEM of a clone names the process 1 that has ended", async () => {
	await using task = await Task.clone(capable);
	task.run(() => unshare(["pid"]));
	const first = await task.clone();
	await first[Symbol.asyncDispose]();
	const hint = await hintOf("ENOMEM", "clone3", () => task.clone());
	for (const word of ["process 1", "pid namespace"]) expect(hint).toContain(word);
});

needs("time namespaces").test("moby #43086 ENOSYS of clone3 names the filter and the way around it", async () => {
	await using task = await Task.clone(capable);
	forbid(task, CLONE3, ENOSYS);
	const hint = await hintOf("ENOSYS", "clone3", () => task.clone({ namespaces: ["time"] }));
	for (const word of ["seccomp", "time", 'unshare(["time"])']) expect(hint).toContain(word);
});

needs("pid namespaces").test("ENOSYS of clone3 with setTid names the filter and the option", async () => {
	await using task = await Task.clone(capable);
	forbid(task, CLONE3, ENOSYS);
	const hint = await hintOf("ENOSYS", "clone3", () => task.clone({ setTid: [4000] }));
	for (const word of ["seccomp", "setTid"]) expect(hint).toContain(word);
});

needs("pid namespaces").test.each(["run", "batch"] as const)(
	"NST-13 EINVAL of a second pid namespace by %s says: once",
	async (how) => {
		await using task = await Task.clone(capable);
		if (how === "run") task.run(() => unshare(["pid"]));
		const call = () => {
			if (how === "batch") unshare(["pid"]);
			unshare(["pid"]);
		};
		expect(await hintOf("EINVAL", "unshare", () => task[how](call))).toContain("once");
	},
);

needs("/proc", "sysctls that can be written").test(
	"an error has no hint if the task is busy with a call that blocks",
	async () => {
		await using task = await own();
		limit(task, "max_net_namespaces", 0);
		const refused = reason(() => task.batch(() => unshare(["net"])));
		const blocked = reason(() => task.batch(() => task.syscall(NANOSLEEP, LONG, 0)));
		expect(await refused).toMatchObject({ code: "ENOSPC", syscall: "unshare" });
		await task[Symbol.asyncDispose]();
		await blocked;
	},
);

needs("/proc", "sysctls that can be written").test(
	"an error has no hint if the task was stopped meanwhile",
	async () => {
		await using task = await own();
		limit(task, "max_net_namespaces", 0);
		const sleeps = sleepsOfIdle(task.pid);
		const refused = reason(() => task.batch(() => unshare(["net"])));
		// The stop must not come before the call. The task has replied when it sleeps again, and Node looks at the reply only after an await.
		while (sleepsOfIdle(task.pid) === sleeps);
		task.process.kill("SIGSTOP");
		expect(await refused).toMatchObject({ code: "ENOSPC", syscall: "unshare" });
	},
);

test("an error has no hint if the task has ended meanwhile", async () => {
	await using task = await own();
	const refused = reason(() => task.batch(() => unshare(2 ** 32 - 1)));
	task.process.kill("SIGKILL");
	await task.process.exited;
	await refused;
});
