import { chmodSync, chownSync, copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MultithreadedError, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { becomeOrdinary } from "../../../test/ordinary.ts";
import { refusal, refused } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { status } from "../../../test/status.ts";
import {
	ambient,
	bounding,
	type Capability,
	CapabilitySet,
	capset,
	dropCapabilities,
	fileCapabilities,
} from "../src/index.ts";
import { powerful, powerfulUser, prctl, capset as rawCapset, sets, setsAfterExec } from "./task.ts";

const KILL = 1n << 5n;
const SETPCAP = 1n << 8n;
const NET_ADMIN = 1n << 12n;
const EPERM = 1;
const PR_SET_KEEPCAPS = 8;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAPBSET_READ = 23;
const PR_CAPBSET_DROP = 24;
const PR_SET_SECUREBITS = 28;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;
const SECBIT_NOROOT = 1;
const SECBIT_NO_CAP_AMBIENT_RAISE = 64;
const last = Number(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8"));
const none = { Inh: 0n, Prm: 0n, Eff: 0n, Bnd: 0n, Amb: 0n };

test("all five sets are empty afterwards", async () => {
	await using task = await powerful();
	expect(sets(task.pid)).not.toEqual(none);
	task.run(() => dropCapabilities());
	expect(sets(task.pid)).toEqual(none);
});

test.each([
	["names", ["kill", "netAdmin"] as Capability[]],
	["a set", CapabilitySet.from(KILL | NET_ADMIN)],
])("%s can be kept: effective, permitted and bounding, and no more inheritable", async (_, keep) => {
	await using task = await powerful();
	rawCapset(task, sets(task.pid).Eff, sets(task.pid).Prm, KILL | NET_ADMIN);
	prctl(task, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 5);
	expect(sets(task.pid).Amb).toBe(KILL);
	task.run(() => dropCapabilities(keep));
	const kept = KILL | NET_ADMIN;
	expect(sets(task.pid)).toEqual({ Inh: 0n, Prm: kept, Eff: kept, Bnd: kept, Amb: 0n });
});

test("what was not permitted is not gained by keeping it", async () => {
	await using task = await powerful();
	rawCapset(task, SETPCAP, SETPCAP | KILL, 0n);
	task.run(() => dropCapabilities(["kill", "netAdmin"]));
	expect(sets(task.pid)).toEqual({ Inh: 0n, Prm: KILL, Eff: KILL, Bnd: KILL | NET_ADMIN, Amb: 0n });
});

test("dropping again, and more, needs no privilege where the bounding set has nothing to lose", async () => {
	await using task = await powerful();
	task.run(() => dropCapabilities(["kill"]));
	task.run(() => dropCapabilities(["kill"]));
	expect(sets(task.pid).Eff).toBe(KILL);
	expect(() => task.run(() => dropCapabilities())).toThrow(refused("EPERM", "prctl"));
	await using other = await powerful();
	other.run(() => {
		dropCapabilities();
		dropCapabilities();
	});
	expect(sets(other.pid)).toEqual(none);
});

test("CAP_SETPCAP that is permitted and not effective, as after a change of user ids, is made effective first", async () => {
	await using task = await powerful();
	rawCapset(task, KILL, KILL | SETPCAP, 0n);
	task.run(() => dropCapabilities(["kill"]));
	expect(sets(task.pid)).toEqual({ ...none, Prm: KILL, Eff: KILL, Bnd: KILL });
	rawCapset(task, 0n, KILL, 0n); // nothing to lose in the bounding set
	task.run(() => dropCapabilities(["kill"]));
	expect(sets(task.pid)).toEqual({ ...none, Prm: KILL, Eff: KILL, Bnd: KILL });
});

test("a batch leaves CAP_SETPCAP as it is: EPERM where it is not effective, and nothing is dropped", async () => {
	await using task = await powerful();
	rawCapset(task, KILL, KILL | SETPCAP, 0n);
	const before = sets(task.pid);
	await expect(task.batch(() => dropCapabilities())).rejects.toThrow(refused("EPERM", "prctl"));
	expect(sets(task.pid)).toEqual(before);
});

test("without CAP_SETPCAP: EPERM, and nothing is dropped", async () => {
	await using task = await powerful();
	rawCapset(task, KILL, KILL, 0n);
	const before = sets(task.pid);
	expect(refusal(() => task.run(() => dropCapabilities()))).toMatchObject({
		code: "EPERM",
		syscall: "prctl",
		hint: expect.stringContaining("CAP_SETPCAP"),
	});
	await expect(task.batch(() => dropCapabilities())).rejects.toThrow(refused("EPERM", "prctl"));
	expect(sets(task.pid)).toEqual(before);
});

test("in a batch it is collected; there what is kept has to be permitted", async () => {
	await using task = await powerful();
	await task.batch(() => dropCapabilities(["setpcap", "kill"]));
	expect(sets(task.pid).Prm).toBe(SETPCAP | KILL);
	await expect(task.batch(() => dropCapabilities(["netAdmin"]))).rejects.toThrow(refused("EPERM", "capset"));
	await task.batch(() => dropCapabilities());
	expect(sets(task.pid)).toEqual(none);
});

test("CAP-05 near it would change one thread: refused, and nothing changes", async () => {
	const before = sets("thread-self");
	expect(() => dropCapabilities()).toThrow(MultithreadedError);
	expect(() => dropCapabilities(["kill"])).toThrow(MultithreadedError);
	await expect(Task.near.batch(() => dropCapabilities())).rejects.toThrow(MultithreadedError);
	expect([sets("self"), sets("thread-self")]).toEqual([before, before]);
});

test("CAP-07 a program of user 0 gets back what the bounding set has", async () => {
	await using task = await powerful();
	const { Bnd } = sets(task.pid);
	expect(await setsAfterExec(task)).toMatchObject({ Prm: Bnd, Eff: Bnd });
});

test("CAP-07 a program of user 0 gets nothing where the bounding set is empty", async () => {
	await using task = await powerful();
	task.run(() => dropCapabilities());
	expect(await setsAfterExec(task)).toEqual(none);
});

test("CAP-07 a program of user 0 gets nothing with SECBIT_NOROOT", async () => {
	await using task = await powerful();
	prctl(task, PR_SET_SECUREBITS, SECBIT_NOROOT);
	expect(await setsAfterExec(task)).toMatchObject({ Prm: 0n, Eff: 0n });
});

test("CAP-08 a program of another user loses what was kept", async () => {
	await using task = await powerfulUser();
	task.run(() => dropCapabilities(["kill"]));
	expect(sets(task.pid)).toMatchObject({ Prm: KILL, Eff: KILL });
	expect(await setsAfterExec(task)).toEqual({ ...none, Bnd: KILL });
});

test("CAP-15 the kernel's last capability is dropped, and none after it, which would be EINVAL", async () => {
	await using task = await powerful();
	expect(() => prctl(task, PR_CAPBSET_READ, last + 1)).toThrow(refused("EINVAL", "syscall"));
	expect(prctl(task, PR_CAPBSET_READ, last)).toBe((sets(task.pid).Bnd >> BigInt(last)) & 1n);
	task.run(() => dropCapabilities());
	expect(prctl(task, PR_CAPBSET_READ, last)).toBe(0n);
});

test("bubblewrap #149 a task of a user namespace, which begins with a full bounding set, has an empty one afterwards", async () => {
	await using task = await powerful();
	expect(sets(task.pid).Bnd).toBe(CapabilitySet.all().bits);
	task.run(() => dropCapabilities());
	expect(sets(task.pid).Bnd).toBe(0n);
});

test("CVE-2022-24769 the inheritable set is empty afterwards, whatever was in it", async () => {
	await using task = await powerful();
	rawCapset(task, sets(task.pid).Eff, sets(task.pid).Prm, KILL | NET_ADMIN);
	task.run(() => dropCapabilities(["kill"]));
	expect(sets(task.pid).Inh).toBe(0n);
});

test("bubblewrap #174 where a filter refuses the bounding set: EPERM, and nothing has changed", async () => {
	for (const [effective, permitted] of [
		[KILL | SETPCAP, KILL | SETPCAP],
		[KILL, KILL | SETPCAP], // CAP_SETPCAP is made effective, and taken back
	] as const) {
		await using task = await powerful();
		rawCapset(task, effective, permitted, KILL);
		prctl(task, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 5);
		forbid(task, process.arch === "arm64" ? 167 : 157, EPERM, PR_CAPBSET_DROP);
		const before = sets(task.pid);
		expect(() => task.run(() => dropCapabilities())).toThrow(refused("EPERM", "prctl"));
		expect(sets(task.pid)).toEqual(before);
	}
});

test("where a filter refuses no_new_privs, the hint names the filter and no set", async () => {
	await using task = await powerful();
	forbid(task, process.arch === "arm64" ? 167 : 157, EPERM, PR_SET_NO_NEW_PRIVS);
	const error = refusal(() => task.run(() => dropCapabilities(["kill"], { noNewPrivs: true })));
	expect(error).toMatchObject({ code: "EPERM", syscall: "prctl", hint: expect.stringMatching(/^a .* filter/) });
});

test("SinusBot #40 all capabilities of a newer kernel can be named: dropping and keeping takes those that this kernel has", async () => {
	await using task = await powerful();
	task.run(() => dropCapabilities(2n ** 64n - 1n));
	expect(sets(task.pid)).toMatchObject({
		Prm: CapabilitySet.all().bits,
		Bnd: CapabilitySet.all().bits,
		Inh: 0n,
		Amb: 0n,
	});
	task.run(() => dropCapabilities([63]));
	expect(sets(task.pid)).toEqual(none);
});

test("with ambient what is kept is inheritable and ambient, and programs of users other than 0 have it", async () => {
	await using task = await powerfulUser();
	task.run(() => dropCapabilities(["kill", "netAdmin"], { ambient: true }));
	const kept = KILL | NET_ADMIN;
	const all = { Inh: kept, Prm: kept, Eff: kept, Bnd: kept, Amb: kept };
	expect(sets(task.pid)).toEqual(all);
	expect(await setsAfterExec(task)).toEqual(all);
});

test("with ambient, what was not permitted does not become ambient", async () => {
	await using task = await powerful();
	rawCapset(task, 0n, SETPCAP | KILL, 0n);
	task.run(() => dropCapabilities(["kill", "netAdmin"], { ambient: true }));
	expect(sets(task.pid)).toEqual({ Inh: KILL, Prm: KILL, Eff: KILL, Bnd: KILL | NET_ADMIN, Amb: KILL });
});

test("with ambient in a batch, too", async () => {
	await using task = await powerful();
	await task.batch(() => dropCapabilities(["kill"], { ambient: true, noNewPrivs: true }));
	expect(sets(task.pid)).toEqual({ Inh: KILL, Prm: KILL, Eff: KILL, Bnd: KILL, Amb: KILL });
	expect(status(task.pid, "NoNewPrivs")).toBe("1");
});

test("with ambient EPERM says what stands in the way", async () => {
	await using task = await powerful();
	prctl(task, PR_CAPBSET_DROP, 5);
	const unbounded = refusal(() => task.run(() => dropCapabilities(["kill"], { ambient: true })));
	expect(unbounded).toMatchObject({ code: "EPERM", syscall: "capset", hint: expect.stringContaining("kill") });
	await using other = await powerful();
	prctl(other, PR_SET_SECUREBITS, SECBIT_NO_CAP_AMBIENT_RAISE);
	const locked = refusal(() => other.run(() => dropCapabilities(["kill"], { ambient: true })));
	expect(locked).toMatchObject({ code: "EPERM", syscall: "prctl", hint: expect.stringContaining("noCapAmbientRaise") });
});

test.each([false, true])("noNewPrivs: %s", async (noNewPrivs) => {
	await using task = await powerful();
	task.run(() => dropCapabilities([], { noNewPrivs }));
	expect(status(task.pid, "NoNewPrivs")).toBe(noNewPrivs ? "1" : status("self", "NoNewPrivs"));
	expect(sets(task.pid)).toEqual(none);
});

needs("root").test(
	"after a change of user ids that keeps capabilities, CAP_SETPCAP is permitted alone, and nothing is left",
	async () => {
		await using task = await Task.clone();
		prctl(task, PR_SET_KEEPCAPS, 1);
		becomeOrdinary(task);
		expect(sets(task.pid).Eff).toBe(0n);
		expect(sets(task.pid).Prm & SETPCAP).toBe(SETPCAP);
		task.run(() => dropCapabilities());
		expect(sets(task.pid)).toEqual(none);
	},
);

needs("root").test("root, an ordinary user and one capability: its program has it in all five sets", async () => {
	await using task = await Task.clone();
	prctl(task, PR_SET_KEEPCAPS, 1);
	becomeOrdinary(task);
	task.run(() => dropCapabilities(["netBindService"], { ambient: true, noNewPrivs: true }));
	const bit = 1n << 10n;
	expect(await setsAfterExec(task)).toEqual({ Inh: bit, Prm: bit, Eff: bit, Bnd: bit, Amb: bit });
});

needs("root").test("an ordinary user has a full bounding set and no CAP_SETPCAP: EPERM, which names it", async () => {
	await using task = await Task.clone();
	becomeOrdinary(task);
	const before = sets(task.pid);
	expect(refusal(() => task.run(() => dropCapabilities()))).toMatchObject({
		code: "EPERM",
		hint: expect.stringContaining("CAP_SETPCAP"),
	});
	expect(sets(task.pid)).toEqual(before);
});

test("ERR_NEARFAR_CAPABILITIES_LEFT: a filter lets the calls succeed without an effect, and what is read back shows it", async () => {
	const [PRCTL, CAPSET] = process.arch === "arm64" ? [167, 91] : [157, 126];
	const left = expect.objectContaining({ code: "ERR_NEARFAR_CAPABILITIES_LEFT" });
	for (const [number, argument] of [
		[PRCTL, PR_CAPBSET_DROP],
		[CAPSET, undefined],
	] as const) {
		await using task = await powerful();
		rawCapset(task, sets(task.pid).Eff, sets(task.pid).Prm, KILL);
		prctl(task, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 5);
		forbid(task, number, 0, argument);
		expect(() => task.run(() => dropCapabilities())).toThrow(left);
	}
});

test("in a batch it counts as one step", async () => {
	await using task = await powerful();
	const failed = task.batch(() => {
		dropCapabilities(["setpcap"], { ambient: true });
		dropCapabilities();
		dropCapabilities(["kill"]);
	});
	await expect(failed).rejects.toMatchObject({ code: "EPERM", step: 2 });
});

test.each([
	[{ ambient: 1 }, "ERR_INVALID_ARG_TYPE"],
	[{ noNewPrivs: "yes" }, "ERR_INVALID_ARG_TYPE"],
	[{ process: 1 }, "ERR_INVALID_ARG_TYPE"],
	[{ ambiant: true }, "ERR_INVALID_ARG_VALUE"],
])("options %o are refused before anything is done", async (options, code) => {
	await using task = await powerful();
	const before = sets(task.pid);
	expect(() => task.run(() => dropCapabilities([], options as object))).toThrow(expect.objectContaining({ code }));
	expect(sets(task.pid)).toEqual(before);
});

test("a name that is none is refused before anything is done", async () => {
	await using task = await powerful();
	const before = sets(task.pid);
	const error = expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" });
	expect(() => task.run(() => dropCapabilities(["kill", "cap_kill" as "kill"]))).toThrow(error);
	expect(sets(task.pid)).toEqual(before);
});

needs("root", "a temporary folder whose files can be executed").test(
	"CAP-18 a set-user-id program of an ordinary user loses what is ambient in a task of root",
	async () => {
		using program = new CapableCat();
		fileCapabilities.remove(program.path);
		chownSync(program.path, 1000, 1000);
		chmodSync(program.path, 0o4755);
		await using task = await Task.clone();
		task.run(() => ambient.raise(["netBindService"], { inheritable: true }));
		expect(await setsAfterExec(task, program.path)).toMatchObject({ Eff: 0n, Amb: 0n });
	},
);

needs("root", "a temporary folder whose files can be executed").describe(
	"moby #45491 a program with file capabilities",
	() => {
		const NET_RAW = 1n << 13n;

		test("with no_new_privs it starts, without these capabilities and without the ambient ones", async () => {
			using program = new CapableCat();
			await using task = await Task.clone();
			prctl(task, PR_SET_KEEPCAPS, 1);
			becomeOrdinary(task);
			task.run(() => {
				capset({ effective: [], permitted: ["netBindService"] });
				ambient.raise(["netBindService"], { inheritable: true });
			});
			prctl(task, PR_SET_NO_NEW_PRIVS, 1);
			expect(await setsAfterExec(task, program.path)).toMatchObject({ Eff: 0n, Prm: 0n, Amb: 0n });
		});

		test("without no_new_privs it starts with these capabilities, and without the ambient ones", async () => {
			using program = new CapableCat();
			await using task = await Task.clone();
			becomeOrdinary(task);
			expect(await setsAfterExec(task, program.path)).toMatchObject({ Eff: NET_RAW, Prm: NET_RAW, Amb: 0n });
		});

		test.each([false, true])("where the bounding set lacks one, execve is EPERM; no_new_privs: %s", async (set) => {
			using program = new CapableCat();
			await using task = await Task.clone();
			task.run(() => bounding.drop(["netRaw"]));
			if (set) prctl(task, PR_SET_NO_NEW_PRIVS, 1);
			becomeOrdinary(task);
			await expect(setsAfterExec(task, program.path)).rejects.toThrow(refused("EPERM", "execve"));
		});
	},
);

/** A copy of cat(1) whose file has CAP_NET_RAW, permitted and effective. */
class CapableCat {
	readonly #folder = mkdtempSync(join(tmpdir(), "nearfar-caps-"));
	readonly path = join(this.#folder, "cat");

	constructor() {
		chmodSync(this.#folder, 0o755);
		copyFileSync("/bin/cat", this.path);
		fileCapabilities.write(this.path, "cap_net_raw=ep");
	}

	[Symbol.dispose](): void {
		rmSync(this.#folder, { recursive: true });
	}
}
