import { chmod, chown, openat2, pipe, Task } from "@nearfar/core";
import { setgroups, setresgid, setresuid } from "@nearfar/credentials";
import { tmpfs } from "@nearfar/mount";
import { setNoNewPrivs } from "@nearfar/process";
import { describe, expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { ambient, bounding, CapabilitySet, capset, fileCapabilities, securebits } from "../src/index.ts";

const program = "/tmp/program";
const none = { Inh: "", Prm: "", Eff: "", Amb: "" };
const { write, remove } = fileCapabilities;

/** Copies cat with calls of the current task. */
function copyCat(): void {
	using from = openat2("/bin/cat");
	using to = openat2(program, { flags: ["creat", "wronly"], mode: 0o755 });
	for (let part = from.read(65536); part.length > 0; part = from.read(65536)) to.write(part);
	chmod(program, 0o755);
}

/** Executes the program, and returns what it shows of a file of its own. */
async function show(task: Task, path: string): Promise<Buffer> {
	const [read, write] = pipe();
	try {
		const far = task.put(write);
		task.run(() => far.dupTo(1, { closeOnExec: false }));
		const child = task.exec(program, ["program", path]);
		write.close();
		await child.check();
		return read.read(65536);
	} finally {
		read.close();
		write.close();
	}
}

/** Executes the program, and returns its sets by names, and its user ids. */
async function execute(task: Task): Promise<Record<"Inh" | "Prm" | "Eff" | "Amb" | "Uid", string>> {
	const status = `${await show(task, "/proc/self/status")}`;
	const line = (name: string) => new RegExp(`^${name}:\t(.*)$`, "m").exec(status)?.[1] ?? "";
	const set = (name: string) => `${CapabilitySet.from(BigInt(`0x${line(`Cap${name}`)}`))}`;
	return { Inh: set("Inh"), Prm: set("Prm"), Eff: set("Eff"), Amb: set("Amb"), Uid: line("Uid") };
}

/** Executes the program, and returns whether the kernel starts it in secure mode. */
async function isSecure(task: Task): Promise<boolean> {
	const AT_SECURE = 23n;
	const auxv = await show(task, "/proc/self/auxv");
	const words = Array.from({ length: auxv.length / 8 }, (_, index) => auxv.readBigUInt64LE(index * 8));
	return words.some((word, index) => index % 2 === 0 && word === AT_SECURE && words[index + 1] === 1n);
}

/** Makes a task with the program on a tmpfs of its own. */
async function withProgram(options?: { nosuid: boolean }): Promise<Task> {
	const task = await Task.clone({ namespaces: ["mnt"] });
	task.run(() => {
		tmpfs("/tmp", { set: options?.nosuid ? ["nosuid"] : [] });
		copyCat();
	});
	return task;
}

/** Makes the current task one of user 1000, without groups of user 0. */
function become1000(): void {
	setgroups([]);
	setresgid(1000, 1000, 1000);
	setresuid(1000, 1000, 1000);
}

needs("root").describe("a program of user 1000", () => {
	test.each([
		["permitted and effective", "cap_net_raw,cap_kill=ep", { Prm: "kill,netRaw", Eff: "kill,netRaw" }],
		["permitted alone, which the program has to make effective", "cap_net_raw=p", { Prm: "netRaw" }],
		["inheritable, and not in the process", "cap_net_raw=ei", {}],
		["empty", "=", {}],
		["above the kernel's last one", "cap_kill,63=ep", { Prm: "kill", Eff: "kill" }],
	])("gets what is %s", async (_, text, expected) => {
		await using task = await withProgram();
		task.run(() => {
			write(program, text);
			become1000();
		});
		expect(await execute(task)).toEqual({ ...none, ...expected, Uid: "1000\t1000\t1000\t1000" });
	});

	test("gets what is inheritable in the file and in the process", async () => {
		await using task = await withProgram();
		task.run(() => {
			write(program, "cap_net_raw,cap_chown=ei cap_kill=ep");
			capset({ inheritable: ["netRaw", "sysTime"] });
			become1000();
		});
		expect(await execute(task)).toMatchObject({ Inh: "netRaw,sysTime", Prm: "kill,netRaw", Eff: "kill,netRaw" });
	});

	test("gets nothing from a file whose capabilities were removed", async () => {
		await using task = await withProgram();
		task.run(() => {
			write(program, "cap_net_raw=ep");
			expect(remove(program)).toBe(true);
			become1000();
		});
		expect(await execute(task)).toMatchObject(none);
	});

	test("loses its ambient capabilities to those of the file", async () => {
		await using task = await withProgram();
		task.run(() => {
			write(program, "cap_net_raw=ep");
			securebits.set(["noSetuidFixup"]);
			become1000();
			ambient.raise(["kill"], { inheritable: true });
		});
		expect(await execute(task)).toMatchObject({ Inh: "kill", Prm: "netRaw", Eff: "netRaw", Amb: "" });
	});

	test("gets nothing where the root id is another one than that of its user namespace", async () => {
		await using task = await withProgram();
		task.run(() => {
			write(program, { permitted: ["netRaw"], rootId: 1000 });
			become1000();
		});
		expect(await execute(task)).toMatchObject(none);
	});

	test("gets nothing on a mount with nosuid", async () => {
		await using task = await withProgram({ nosuid: true });
		task.run(() => {
			write(program, "cap_net_raw=ep");
			become1000();
		});
		expect(await execute(task)).toMatchObject(none);
	});

	test("moby #45491 starts without the capabilities when no_new_privs is set", async () => {
		await using task = await withProgram();
		task.run(() => {
			write(program, "cap_net_raw=ep");
			become1000();
			setNoNewPrivs();
		});
		expect(await execute(task)).toMatchObject(none);
	});

	test("moby #45491 does not start when the bounding set lacks what is effective, with no_new_privs or without", async () => {
		for (const noNewPrivs of [false, true]) {
			await using task = await withProgram();
			task.run(() => {
				write(program, "cap_net_raw,cap_kill=ep");
				bounding.drop(["netRaw"]);
				become1000();
				if (noNewPrivs) setNoNewPrivs();
			});
			await expect(execute(task)).rejects.toMatchObject({ code: "EPERM", syscall: "execve" });
		}
	});

	test("moby #45491 starts with less when the bounding set lacks what is permitted and not effective", async () => {
		await using task = await withProgram();
		task.run(() => {
			write(program, "cap_net_raw,cap_kill=p");
			bounding.drop(["netRaw"]);
			become1000();
		});
		expect(await execute(task)).toMatchObject({ Prm: "kill", Eff: "" });
	});

	test("nodejs #37588 starts in secure mode with capabilities of its file, and not with ambient ones", async () => {
		await using withFile = await withProgram();
		withFile.run(() => {
			write(program, "cap_dac_override=ep"); // the file in /proc of such a program is one of user 0
			become1000();
		});
		expect(await isSecure(withFile)).toBe(true);
		await using withAmbient = await withProgram();
		withAmbient.run(() => {
			securebits.set(["noSetuidFixup"]);
			become1000();
			ambient.raise(["dacOverride"], { inheritable: true });
		});
		expect(await isSecure(withAmbient)).toBe(false);
	});

	test("becomes user 0 by the set-user-id bit, and gets no capability if the sets of the file are empty", async () => {
		for (const [caps, expected] of [
			[true, { Prm: "", Eff: "" }],
			[false, { Prm: `${bounding.read()}`, Eff: `${bounding.read()}` }],
		] as const) {
			await using task = await withProgram();
			task.run(() => {
				chown(program, 0, 0);
				if (caps) write(program, {});
				chmod(program, 0o4755);
				become1000();
			});
			expect(await execute(task)).toMatchObject({ ...expected, Uid: "1000\t0\t0\t0" });
		}
	});
});

describe("in a user namespace", () => {
	const prepare = async () => {
		const task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
		task.run(() => {
			tmpfs("/tmp", { set: [] });
			copyCat();
			securebits.set(["noRoot"]); // user 0 gets nothing for being user 0
		});
		return task;
	};

	test("a program gets the capabilities over the user namespace", async () => {
		await using task = await prepare();
		task.run(() => write(program, "cap_net_raw,cap_kill=ep"));
		expect(await execute(task)).toMatchObject({ Prm: "kill,netRaw", Eff: "kill,netRaw" });
	});

	test("moby #45491 a program gets no more than before when no_new_privs is set", async () => {
		await using task = await prepare();
		task.run(() => {
			write(program, "cap_net_raw,cap_kill=ep");
			capset({ effective: ["kill"], permitted: ["kill"], inheritable: [] });
			setNoNewPrivs();
		});
		expect(await execute(task)).toMatchObject({ Prm: "kill", Eff: "kill" });
	});
});
