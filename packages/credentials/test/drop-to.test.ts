import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { ambient, bounding, type Capability, CapabilitySet, capset, dropCapabilities, securebits } from "@nearfar/caps";
import { type CloneOptions, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { isRoot, needs } from "../../../test/needs.ts";
import { outputOfProgram } from "../../../test/output-of-program.ts";
import { refusal, refused } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { statusNumbers } from "../../../test/status.ts";
import { dropTo, getgroups, getresuid, groupsOf, initgroups, seteuid, setgroups, setresuid } from "../src/index.ts";

const SYS =
	process.arch === "arm64"
		? { prctl: 167, capset: 91, setgroups: 159, setresuid: 147, setresgid: 149 }
		: { prctl: 157, capset: 126, setgroups: 116, setresuid: 117, setresgid: 119 };
const [GET_PDEATHSIG, GET_KEEPCAPS, SET_KEEPCAPS] = [2, 7, 8];
const EPERM = 1;
const root = needs("root");
const [uid = -1, gid = -1] = [process.geteuid?.(), process.getegid?.()];
/** Ids that no user of the host has to have. */
const nobody = { gid: 1234, groups: [5, 4, 1234, 5] };
const bind = CapabilitySet.from(["netBindService"]).bits;

type Look = Record<"Uid" | "Gid" | "Groups", number[]> & Record<"Inh" | "Prm" | "Eff" | "Amb", bigint>;

/** Returns what `/proc` says of a process. */
function look(pid: number): Look {
	return parse(readFileSync(`/proc/${pid}/status`, "utf8"));
}

function parse(status: string): Look {
	const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(status)?.[1] ?? "";
	const ids = ["Uid", "Gid", "Groups"].map((name) => [name, field(name).split(/\s+/).filter(Boolean).map(Number)]);
	const sets = ["Inh", "Prm", "Eff", "Amb"].map((name) => [name, BigInt(`0x${field(`Cap${name}`)}`)]);
	return Object.fromEntries([...ids, ...sets]) as Look;
}

const of = (uid: number, gid: number, groups: number[]) => ({
	Uid: [uid, uid, uid, uid],
	Gid: [gid, gid, gid, gid],
	Groups: groups,
});
const without = { Inh: 0n, Prm: 0n, Eff: 0n, Amb: 0n };

const keepCaps = (task: Task) => Number(task.syscall(SYS.prctl, GET_KEEPCAPS, 0, 0, 0, 0));

root.test("a user of the host: ids, groups and capabilities are the user's", async () => {
	await using task = await Task.clone();
	task.run(() => dropTo("nobody"));
	const { uid = -1, gid = -1 } = nobodyOfHost();
	expect(look(task.pid)).toEqual({ ...of(uid, gid, groupsOf("nobody")), ...without });
});

function nobodyOfHost() {
	const [uid, gid] = ["-u", "-g"].map((option) => Number(execFileSync("id", [option, "nobody"])));
	return { uid, gid };
}

root.test(
	"haskell/process #149 coreos/ignition #2242 nvidia-persistenced #13 yggdrasil-go #1202 node #4025: root's supplementary groups do not stay",
	async () => {
		await using task = await Task.clone();
		task.run(() => setgroups([0, 4, 27]));
		task.run(() => dropTo(4711, { gid: 4711, groups: [] }));
		expect(look(task.pid)).toEqual({ ...of(4711, 4711, []), ...without });
		expect(parse(await outputOfProgram(task, ["cat", "/proc/self/status"]))).toEqual({
			...of(4711, 4711, []),
			...without,
		});
	},
);

root.test("CRE-06 there is no way back, and an id without a user needs gid and groups", async () => {
	await using task = await Task.clone();
	for (const options of [{}, { gid: 1234 }, { groups: [] }, { groups: "keep" as const }]) {
		expect(refusal(() => task.run(() => dropTo(4294967294, options))).code).toBe("ERR_NEARFAR_UNKNOWN_USER");
	}
	expect(look(task.pid).Uid).toEqual([0, 0, 0, 0]);
	task.run(() => dropTo(4294967294, nobody));
	expect(look(task.pid)).toEqual({ ...of(4294967294, 1234, [4, 5, 1234]), ...without });
	for (const back of [() => seteuid(0), () => setresuid(-1, 0, -1), () => setgroups([])]) {
		expect(refusal(() => task.run(back)).code).toBe("EPERM");
	}
});

root.test("what is kept is effective and permitted in the task, and no program has it", async () => {
	await using task = await Task.clone();
	task.run(() => dropTo(4711, { ...nobody, keep: ["netBindService"] }));
	expect(look(task.pid)).toMatchObject({ Inh: 0n, Prm: bind, Eff: bind, Amb: 0n });
	expect(keepCaps(task)).toBe(0);
	expect(parse(await outputOfProgram(task, ["cat", "/proc/self/status"]))).toEqual({
		...of(4711, 1234, [4, 5, 1234]),
		...without,
	});
});

root.test("systemd #16972: ambient capabilities are raised after the ids, which take them away", async () => {
	await using lost = await Task.clone();
	lost.run(() => ambient.raise(["netBindService"], { inheritable: true }));
	lost.syscall(SYS.prctl, SET_KEEPCAPS, 1, 0, 0, 0);
	lost.run(() => setresuid(4711, 4711, 4711));
	expect(look(lost.pid).Amb).toBe(0n);
	await using task = await Task.clone();
	task.run(() => dropTo(4711, { ...nobody, keep: ["netBindService"], ambient: true }));
	const all = { Inh: bind, Prm: bind, Eff: bind, Amb: bind };
	expect(look(task.pid)).toMatchObject(all);
	expect(parse(await outputOfProgram(task, ["cat", "/proc/self/status"]))).toEqual({
		...of(4711, 1234, [4, 5, 1234]),
		...all,
	});
});

/** Sends a message for each claim of a pid and a user id, and writes what the receiver hears, or the name of the error. */
const claims = `
import errno, os, socket, struct
sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
for pid, uid in [(os.getpid(), os.getuid()), (os.getpid(), 0), (os.getpid(), 4712), (os.getppid(), os.getuid())]:
    claim = struct.pack("3i", pid, uid, os.getgid())
    try:
        sender.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, claim)])
        heard = receiver.recvmsg(1, socket.CMSG_SPACE(12))[1][0][2]
        print("ok" if heard == claim else "another")
    except OSError as error:
        print(errno.errorcode[error.errno])
`;

needs("root", "the program python3").test(
	"CRE-09 after dropTo no program claims to be another user over a socket",
	async () => {
		const answers = async (drop?: () => void) => {
			await using task = await Task.clone();
			if (drop) task.run(drop);
			return (await outputOfProgram(task, ["python3", "-c", claims])).trim().split("\n");
		};
		expect(await answers()).toEqual(["ok", "ok", "ok", "ok"]);
		expect(await answers(() => dropTo(4711, nobody))).toEqual(["ok", "EPERM", "EPERM", "EPERM"]);
		const keep = () => dropTo(4711, { ...nobody, keep: ["setuid"], ambient: true });
		expect(await answers(keep)).toEqual(["ok", "ok", "ok", "EPERM"]); // another pid needs CAP_SYS_ADMIN
	},
);

root.test("systemd #16727: securebits come before the ids, and afterwards they are EPERM", async () => {
	await using task = await Task.clone();
	task.run(() => {
		securebits.set(["noRoot"]);
		bounding.drop(["sysAdmin"]);
		dropTo(4711, { ...nobody, keep: ["netBindService"], ambient: true });
	});
	expect(task.run(securebits.read).set).toEqual(["noRoot"]);
	expect(look(task.pid).Amb).toBe(bind);
	expect(() => task.run(() => securebits.set([]))).toThrow(refused("EPERM", "prctl"));
});

root.test("CVE-2022-24769 CVE-2022-29162 CVE-2022-27650: nothing stays inheritable", async () => {
	await using task = await Task.clone();
	task.run(() => capset({ inheritable: ["netRaw", "sysAdmin"] }));
	expect(look(task.pid).Inh).not.toBe(0n);
	task.run(() => dropTo(4711, { ...nobody, keep: ["netRaw"] }));
	expect(look(task.pid).Inh).toBe(0n);
});

root.test("a task of another user than 0 loses its capabilities, too", async () => {
	await using task = await Task.clone();
	task.run(() => {
		dropTo(4711, { ...nobody, keep: ["setuid", "setgid", "sysAdmin", "netBindService"] });
		dropTo(4712, { ...nobody, keep: ["netBindService"] });
	});
	expect(look(task.pid)).toMatchObject({ Uid: [4712, 4712, 4712, 4712], Prm: bind, Eff: bind, Inh: 0n });
});

root.test("SSSD #8710: initgroups sets what getgrouplist lists, and dropTo does the same", async () => {
	await using task = await Task.clone();
	task.run(() => initgroups("root", 4711));
	expect(look(task.pid).Groups).toEqual(groupsOf("root", 4711));
	task.run(() => dropTo("nobody", { gid: 4712 }));
	expect(look(task.pid).Groups).toEqual(groupsOf("nobody", 4712));
});

root.test("CRE-02 65536 groups are set and read back", async () => {
	await using task = await Task.clone();
	const groups = Array.from({ length: 65_536 }, (_, index) => 65_536 - index);
	task.run(() => dropTo(4711, { gid: 1234, groups }));
	expect(task.run(getgroups)).toEqual(groups.reverse());
});

root.test("for user 0 the capabilities stay, whatever is to be kept", async () => {
	await using task = await Task.clone();
	task.syscall(SYS.prctl, SET_KEEPCAPS, 1, 0, 0, 0);
	const before = look(task.pid);
	task.run(() => dropTo(0, { gid: 0, groups: [7], keep: ["kill"], ambient: true }));
	expect(look(task.pid)).toEqual({ ...before, ...of(0, 0, [7]) });
	expect(keepCaps(task)).toBe(1);
});

root.test("the death signal stays", async () => {
	await using task = await Task.clone();
	task.run(() => dropTo(4711, { ...nobody, keep: ["kill"] }));
	const signal = new Uint8Array(4);
	task.syscall(SYS.prctl, GET_PDEATHSIG, signal);
	expect(signal[0]).toBe(9);
});

/** The calls of dropTo, and a word of the hint: the option that helps, or what has changed before the call. */
const refusedSteps: [syscall: keyof typeof SYS, changed: string][] = [
	["setgroups", "keep"],
	["setresgid", "groups"],
	["setresuid", "group ids"],
	["capset", "ids"],
];

root.test.each(refusedSteps)("%s refused: the error names it, and keepcaps is set back", async (syscall, changed) => {
	for (const flag of [0, 1]) {
		await using task = await Task.clone();
		task.syscall(SYS.prctl, SET_KEEPCAPS, flag, 0, 0, 0);
		forbid(task, SYS[syscall], EPERM);
		const before = look(task.pid);
		const drop = () => dropTo(4711, { ...nobody, keep: ["netBindService"], ambient: true });
		const error = refusal(() => task.run(drop)) as NodeJS.ErrnoException & { hint?: string };
		expect(error).toMatchObject({ code: "EPERM", syscall });
		expect(error.hint).toContain(changed);
		expect(keepCaps(task)).toBe(flag);
		if (syscall === "setgroups") expect(look(task.pid)).toEqual(before);
		await expect(task.batch(drop)).rejects.toMatchObject({ code: "EPERM", step: 0 });
		expect(keepCaps(task)).toBe(flag);
	}
});

root.test("a capability of keep that is not permitted is EPERM of capset", async () => {
	await using task = await Task.clone();
	task.run(() => dropCapabilities(["setuid", "setgid", "setpcap"]));
	const drop = () => dropTo(4711, { ...nobody, keep: ["netBindService"] });
	expect(() => task.run(drop)).toThrow(refused("EPERM", "capset"));
	expect(keepCaps(task)).toBe(0);
	await using other = await Task.clone();
	other.run(() => dropCapabilities(["setuid", "setgid", "setpcap"]));
	await expect(other.batch(drop)).rejects.toMatchObject({ code: "EPERM", syscall: "capset" });
});

root.test("a locked keepcaps is EPERM before anything has changed", async () => {
	await using task = await Task.clone();
	task.run(() => securebits.lock(["keepCaps"]));
	const before = look(task.pid);
	expect(() => task.run(() => dropTo(4711, { ...nobody, keep: ["kill"] }))).toThrow(refused("EPERM", "prctl"));
	expect(look(task.pid)).toEqual(before);
	task.run(() => dropTo(4711, nobody));
	expect(look(task.pid)).toEqual({ ...of(4711, 1234, [4, 5, 1234]), ...without });
});

root.test("a securebit against ambient capabilities is EPERM, and the hint says what has changed", async () => {
	await using task = await Task.clone();
	task.run(() => securebits.set(["noCapAmbientRaise"]));
	const drop = () => dropTo(4711, { ...nobody, keep: ["kill"], ambient: true });
	expect(refusal(() => task.run(drop))).toMatchObject({
		code: "EPERM",
		syscall: "prctl",
		hint: expect.stringContaining("ids"),
	});
	expect(keepCaps(task)).toBe(0);
});

root.test.each([
	["setgroups", "groups"],
	["setresgid", "group ids"],
	["setresuid", "user ids"],
	["capset", "effective"],
] as const)("%s that does nothing is noticed", async (syscall, named) => {
	await using task = await Task.clone();
	task.run(() => setgroups([0, 4, 27]));
	forbid(task, SYS[syscall], 0);
	// Without a filter for setresuid, the call would empty the effective set itself.
	const error = refusal(() => task.run(() => dropTo(4711, { ...nobody, keep: ["kill"] })));
	expect(error.code).toBe("ERR_NEARFAR_CREDENTIALS_LEFT");
	expect(error.message).toContain(named);
});

root.test("in a batch it is one call, and the calls after it are of the other user", async () => {
	await using task = await Task.clone();
	await task.batch(() => {
		setgroups([1]);
		dropTo(4711, { ...nobody, keep: ["netBindService"], ambient: true });
	});
	const all = { Inh: bind, Prm: bind, Eff: bind, Amb: bind };
	expect(look(task.pid)).toEqual({ ...of(4711, 1234, [4, 5, 1234]), ...all });
	expect(keepCaps(task)).toBe(0);
	const failed = task.batch(() => {
		setresuid(-1, -1, -1);
		dropTo(4712, nobody);
	});
	await expect(failed).rejects.toMatchObject({ code: "EPERM", syscall: "setgroups", step: 1 });
});

root.test("in a user namespace ids are those inside, and one without a map is EINVAL", async () => {
	const map = [
		{ inside: 0, outside: 100_000, count: 10 },
		{ inside: 1000, outside: 200_000, count: 1 },
	];
	await using task = await inside({ idMap: { uids: map, gids: map } });
	expect(() => task.run(() => dropTo(7, { gid: 7, groups: [7, 50] }))).toThrow(refused("EINVAL", "setgroups"));
	expect(look(task.pid).Uid).toEqual([0, 0, 0, 0]); // user 0 of the host, whom the map does not have
	task.run(() => dropTo(0, { gid: 0, groups: [3] }));
	expect(look(task.pid)).toMatchObject(of(100_000, 100_000, [100_003]));
	task.run(() => dropTo(1000, { gid: 1000, groups: [1000, 3], keep: ["kill"] }));
	expect(look(task.pid)).toMatchObject({
		...of(200_000, 200_000, [100_003, 200_000]),
		Prm: CapabilitySet.from(["kill"]).bits,
	});
	expect(task.run(getresuid)).toEqual({ real: 1000, effective: 1000, saved: 1000 });
});

function inside(options: CloneOptions): Promise<Task> {
	return Task.clone({ namespaces: ["user"], ...options });
}

test("where a user namespace denies setgroups, the groups can only be kept", async () => {
	await using task = await inside({ idMap: "root" });
	// A task of user 0 of the host may set groups in its user namespace: a filter stands for the file that denies it.
	if (isRoot) forbid(task, SYS.setgroups, EPERM);
	const before = look(task.pid);
	expect(() => task.run(() => dropTo(0, { gid: 0, groups: [] }))).toThrow(refused("EPERM", "setgroups"));
	expect(look(task.pid)).toEqual(before);
	task.run(() => dropTo(0, { gid: 0, groups: "keep" }));
	expect(look(task.pid)).toEqual(before);
	expect(() => task.run(() => dropTo(7, { gid: 0, groups: "keep" }))).toThrow(refused("EINVAL", "setresuid"));
	expect(() => task.run(() => dropTo(0, { gid: 7, groups: "keep" }))).toThrow(refused("EINVAL", "setresgid"));
});

needs("an ordinary user").test("an ordinary user may become the same user, and no other", async () => {
	await using task = await Task.clone();
	const groups = statusNumbers(task.pid, "Groups");
	task.run(() => dropTo(uid, { gid, groups: "keep" }));
	expect(look(task.pid)).toEqual({ ...of(uid, gid, groups), ...without });
	expect(() => task.run(() => dropTo("root"))).toThrow(refused("EPERM", "setgroups"));
	expect(() => task.run(() => dropTo("root", { groups: "keep" }))).toThrow(refused("EPERM", "setresgid"));
	expect(() => task.run(() => dropTo(uid, { gid, groups: "keep", keep: ["kill"] }))).toThrow(
		refused("EPERM", "capset"),
	);
	expect(keepCaps(task)).toBe(0);
});

test.each<[string, () => void, string]>([
	["a user that is true", () => dropTo(true as never), "ERR_INVALID_ARG_TYPE"],
	["no user", () => dropTo(undefined as never), "ERR_INVALID_ARG_TYPE"],
	["a user id of -1", () => dropTo(-1), "ERR_OUT_OF_RANGE"],
	["a user id of 4294967295", () => dropTo(4294967295), "ERR_OUT_OF_RANGE"],
	["a name with a NUL byte", () => dropTo("ro\0ot"), "ERR_INVALID_ARG_VALUE"],
	["a gid of 0.5", () => dropTo(0, { gid: 0.5 }), "ERR_OUT_OF_RANGE"],
	["a gid of text", () => dropTo(0, { gid: "0" as never }), "ERR_INVALID_ARG_TYPE"],
	["groups of another word", () => dropTo(0, { groups: "all" as never }), "ERR_INVALID_ARG_TYPE"],
	["a group of -1", () => dropTo(0, { groups: [-1] }), "ERR_OUT_OF_RANGE"],
	["65537 groups", () => dropTo(0, { groups: Array.from({ length: 65_537 }, (_, i) => i) }), "ERR_OUT_OF_RANGE"],
	["a capability that is none", () => dropTo(0, { keep: ["cap_kill" as Capability] }), "ERR_INVALID_ARG_VALUE"],
	["a capability of 64", () => dropTo(0, { keep: [64] }), "ERR_OUT_OF_RANGE"],
	["ambient of 1", () => dropTo(0, { ambient: 1 as never }), "ERR_INVALID_ARG_TYPE"],
	["process of 1", () => dropTo(0, { process: 1 as never }), "ERR_INVALID_ARG_TYPE"],
	["an option that is none", () => dropTo(0, { group: [] } as never), "ERR_INVALID_ARG_VALUE"],
])("%s is refused before anything happens", async (_, drop, code) => {
	await using task = await Task.clone();
	expect(refusal(drop).code).toBe(code);
	expect(refusal(() => task.run(drop)).code).toBe(code);
});

test("capabilities that are refused are named by the option", () => {
	for (const keep of [["cap_kill"], 7, [64], -1n] as never[]) {
		expect(() => dropTo(0, { keep })).toThrow(
			expect.objectContaining({ message: expect.stringContaining("options.keep") }),
		);
	}
});

test("near it needs the option, and a batch near cannot have it", async () => {
	const same = { gid, groups: "keep" as const };
	expect(refusal(() => dropTo(uid, same)).code).toBe("ERR_NEARFAR_MULTITHREADED");
	await expect(Task.near.batch(() => dropTo(uid, same))).rejects.toMatchObject({ code: "ERR_NEARFAR_MULTITHREADED" });
	await expect(Task.near.batch(() => dropTo(uid, { ...same, process: true }))).rejects.toMatchObject({
		code: "ERR_NEARFAR_BATCH",
	});
});
