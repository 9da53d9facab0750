import { readFileSync } from "node:fs";
import { type NamespaceKind, Task } from "@nearfar/core";
import { native } from "@nearfar/core/internal";
import { namespaceKinds, unshare } from "@nearfar/namespaces";
import { describe, expect, test } from "vitest";
import { has, type Need, needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { capable, namespaceOf, powerless } from "./tasks.ts";

const kinds = Object.keys(namespaceKinds) as NamespaceKind[];
const syscall = "unshare";

describe("NST-01 each kind, with the privilege", () => {
	for (const kind of kinds) {
		const { proc, forChildren } = namespaceKinds[kind];
		needs(`${kind} namespaces`).test(`NST-01 ${kind}`, async () => {
			await using task = await Task.clone(capable);
			const before = [proc, forChildren ?? proc].map((name) => namespaceOf(task, name));
			task.run(() => unshare([kind]));
			// The link to a pid namespace can be read once the namespace has its first process.
			await using _first = await task.clone();
			expect(namespaceOf(task, forChildren ?? proc)).not.toBe(before[1]);
			if (forChildren) expect(namespaceOf(task, proc)).toBe(before[0]);
			expect(namespaceOf("self", forChildren ?? proc)).not.toBe(namespaceOf(task, forChildren ?? proc));
			expect(String(task)).toContain(kind);
		});
	}
});

test("NST-02 unknown flags are EINVAL", async () => {
	await using task = await Task.clone();
	expect(task.run(() => refusal(() => unshare(2 ** 32 - 1)))).toMatchObject({ code: "EINVAL", syscall });
	expect(task.run(() => refusal(() => unshare(1)))).toMatchObject({ code: "EINVAL", syscall, task: String(task) });
});

for (const kind of kinds.filter((kind) => kind !== "user")) {
	needs(`${kind} namespaces`).test(`NST-02 ${kind} without privilege is EPERM`, async () => {
		await using task = await powerless();
		expect(task.run(() => refusal(() => unshare([kind])))).toMatchObject({ code: "EPERM", syscall });
		expect(namespaceOf(task, kind)).toBe(namespaceOf("self", kind));
		expect(String(task)).not.toContain(kind);
	});
}

test("NST-04 all at once without privilege: the user namespace is made first", async () => {
	await using task = await powerless();
	task.run(() => unshare(kinds.filter((kind) => has(`${kind} namespaces`))));
	await using _first = await task.clone();
	for (const { proc, forChildren } of Object.values(namespaceKinds)) {
		if (!has(`${proc} namespaces` as Need)) continue;
		expect(namespaceOf(task, forChildren ?? proc)).not.toBe(namespaceOf("self", proc));
	}
});

test("NST-13 a second pid namespace for children is EINVAL", async () => {
	await using task = await Task.clone(capable);
	task.run(() => unshare(["pid"]));
	expect(task.run(() => refusal(() => unshare(["pid"])))).toMatchObject({ code: "EINVAL", syscall });
});

test("NST-24 a fresh user namespace: no ids, every capability, and none after exec", async () => {
	await using task = await powerless();
	task.run(() => {
		unshare(["user"]);
		expect(native().getuid()).toBe(65_534);
		expect(native().getgid()).toBe(65_534);
		const [effective = 0n] = native().capget(0);
		const last = BigInt(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8"));
		expect(effective).toBe((1n << (last + 1n)) - 1n);
	});
	await using child = task.exec("sleep", ["sleep", "1000"]);
	const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
	expect(status).toMatch(/^CapEff:\t0+$/m);
	expect(status).toMatch(/^CapPrm:\t0+$/m);
});

// A new network namespace has one device of each tunnel whose module is loaded. The devices are down.
const fallbackTunnels = ["tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"];

test("NST-38 a fresh network has a loopback device that is down, and nothing else", async () => {
	await using task = await powerless();
	task.run(() => unshare(["user", "net"]));
	const links = readFileSync(`/proc/${task.pid}/net/dev`, "utf8").match(/^ *\S+(?=:)/gm);
	expect(links?.map((link) => link.trim()).filter((link) => !fallbackTunnels.includes(link))).toEqual(["lo"]);
	// The loopback device gets its address when it is set up.
	expect(readFileSync(`/proc/${task.pid}/net/fib_trie`, "utf8")).not.toContain("127.0.0.1");
});

test("unshare near is refused: it would move one thread", () => {
	const before = namespaceOf("self", "uts");
	expect(refusal(() => unshare(["uts"])).code).toBe("ERR_NEARFAR_MULTITHREADED");
	expect(refusal(() => Task.near.run(() => unshare(["user"]))).code).toBe("ERR_NEARFAR_MULTITHREADED");
	expect(namespaceOf("self", "uts")).toBe(before);
	expect(String(Task.near)).not.toContain("uts");
});

test("wrong kinds reach no kernel", () => {
	expect(refusal(() => unshare(["newuts" as never])).code).toBe("ERR_INVALID_ARG_VALUE");
	expect(refusal(() => unshare("uts" as never)).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refusal(() => unshare(-1)).code).toBe("ERR_OUT_OF_RANGE");
});
