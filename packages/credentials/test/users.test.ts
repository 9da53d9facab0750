import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chroot, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { groupsOf, type User } from "../src/index.ts";
import { runWithEtc } from "./private-etc.ts";

const unknown = { code: "ERR_NEARFAR_UNKNOWN_USER" };
const outOfRange = { code: "ERR_OUT_OF_RANGE" };
const own = needs("user namespaces", "the program unshare");

const root = "root:x:0:0:root:/root:/bin/sh\n";
const wheel = "root:x:0:\n";

async function ask(files: Record<string, string>, ...users: (User | [User, number])[]): Promise<unknown[]> {
	const args = users.map((user) => JSON.stringify(Array.isArray(user) ? user : [user, null]));
	const { report, stderr } = await runWithEtc("credentials/groups", files, { args });
	expect(report, stderr).toBeDefined();
	return report;
}

own.test("a user is found behind 20000 others, with all of 3000 groups", async () => {
	const users = Array.from(
		{ length: 20_000 },
		(_, index) => `u${index}:x:${2000 + index}:${2000 + index}::/:/bin/sh\n`,
	);
	const groups = Array.from({ length: 3000 }, (_, index) => `g${index}:x:${90_000 - index}:u1,last,u2\n`);
	const last = "last:x:1000:1000:Last:/:/bin/sh\n";
	const [byName, byId, other] = await ask(
		{ passwd: root + users.join("") + last, group: wheel + groups.join("") },
		"last",
		1000,
		"u19999",
	);
	const expected = [1000, ...Array.from({ length: 3000 }, (_, index) => 87_001 + index)];
	expect([byName, byId]).toEqual([expected, expected]);
	expect(other).toEqual([21_999]);
});

own.test("a name is only ever a name, and a number only ever an id", async () => {
	const passwd = `${root}1000:x:7:8::/:/bin/sh\nalice:x:1000:1001::/:/bin/sh\n`;
	const files = { passwd, group: `${wheel}staff:x:50:1000\nadm:x:51:alice\n` };
	expect(await ask(files, "1000", 1000, "alice", 7, "7", "0", "0x0", " 0", "root ")).toEqual([
		[8, 50],
		[51, 1001],
		[51, 1001],
		[8, 50],
		...[unknown, unknown, unknown, unknown, unknown],
	]);
});

own.test("the group id of the caller takes the place of the user's own", async () => {
	const files = { passwd: `${root}alice:x:1000:1000::/:/bin/sh\n`, group: `${wheel}staff:x:50:alice,alice,root\n` };
	expect(await ask(files, ["alice", 7], [1000, 60], ["alice", 50], ["root", 4294967294])).toEqual([
		[7, 50],
		[50, 60],
		[50],
		[50, 4294967294],
	]);
});

own.test("broken lines, and lines for a directory service, are no users", async () => {
	const passwd = [
		":x:0:0:a line without a name:/:/bin/sh",
		"+::::::",
		"+@admins::::::",
		"+guest:x:0:0::/:/bin/sh",
		"-bob::::::",
		"alone",
		"two:x",
		"word:x:zero:0::/:/bin/sh",
		"# comment:x:0:0::/:/bin/sh",
		"",
		`long:x:1001:1001:${"x".repeat(200_000)}:/:/bin/sh`,
		"minus:x:-1:1002::/:/bin/sh",
		"most:x:4294967295:1003::/:/bin/sh",
		"group:x:1004:4294967295::/:/bin/sh",
		"alice:x:1000:1000::/:/bin/sh",
		"double:x:1005:1005::/:/bin/sh",
		"double:x:0:0::/:/bin/sh",
	].join("\n");
	const group = "staff:x:50:alice\nbroken\n+:::\n+@x\nno:x:number:alice\ntwice:x:50:alice\nmost:x:4294967295:double\n";
	const files = { passwd, group };
	expect(await ask(files, "", "+", "+guest", "-bob", "bob", "alone", "two", "word", "#", "# comment", 0)).toEqual([
		...new Array(10).fill(unknown),
		[0], // the line without a name has this id
	]);
	expect(await ask(files, "long", "alice", "most", "group", ["group", 7])).toEqual([
		[1001],
		[50, 1000],
		outOfRange,
		outOfRange,
		[7],
	]);
	const [minus, double] = await ask(files, "minus", ["double", 9]);
	expect([unknown, outOfRange]).toContainEqual(minus); // no C library makes the id 4294967295 of it
	expect(double).toEqual(outOfRange);
});

own.test("without the files nobody is known, and without groups a user has the own group", async () => {
	expect(await ask({}, "root", 0)).toEqual([unknown, unknown]);
	expect(await ask({ passwd: root }, "root", ["root", 5])).toEqual([[0], [5]]);
	expect(await ask({ passwd: "", group: wheel }, "root", 0)).toEqual([unknown, unknown]);
});

own.test("65536 groups are the kernel's limit: one more is a RangeError", async () => {
	const groups = Array.from({ length: 65_536 }, (_, index) => `g${index}:x:${index + 1}:alice\n`).join("");
	const files = { passwd: `alice:x:1000:1::/:/bin/sh\n`, group: groups };
	const [all, more] = await ask(files, "alice", ["alice", 70_000]);
	expect(all).toHaveLength(65_536);
	expect(more).toEqual(outOfRange);
});

own.test("each call asks anew, and a Node without free descriptors hears EMFILE", async () => {
	const files = { passwd: root, group: wheel };
	const { report } = await runWithEtc("credentials/changing-users", files, {
		wrapper: ["sh", "-c", 'ulimit -n 64 && exec "$@"', "sh"],
	});
	expect(report).toEqual({
		before: unknown,
		after: [60],
		changed: [61, 70],
		full: { code: "EMFILE", syscall: "getpwnam" },
		emptied: [61, 70],
	});
});

own.test("Workers ask at the same time", async () => {
	const users = Array.from({ length: 500 }, (_, index) => `u${index}:x:${index}:${index}::/:/bin/sh\n`).join("");
	const groups = Array.from({ length: 500 }, (_, index) => `g${index}:x:${1000 + index}:u${index}\n`).join("");
	const { report } = await runWithEtc("credentials/users-of-workers", { passwd: users, group: groups });
	expect(report).toEqual({ answers: 4 * 500, wrong: [] });
});

own.test("the files in a task's root are never read", async () => {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-root-"));
	try {
		mkdirSync(join(folder, "etc"));
		writeFileSync(join(folder, "etc/passwd"), "insider:x:0:0::/:/bin/sh\nroot:x:4242:4242::/:/bin/sh\n");
		writeFileSync(join(folder, "etc/group"), "inside:x:4243:insider,root\n");
		await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
		task.run(() => chroot(folder));
		expect(task.run(() => refusal(() => groupsOf("insider")).code)).toBe(unknown.code);
		expect(task.run(() => groupsOf("root"))).toEqual(groupsOf("root"));
		expect(await task.batch(() => groupsOf(0))).toEqual(groupsOf("root"));
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test("what is neither a name nor an id is refused before the C library is asked", () => {
	for (const user of [undefined, null, true, 7n, {}, ["root"]]) {
		expect(refusal(() => groupsOf(user as never)).code).toBe("ERR_INVALID_ARG_TYPE");
	}
	for (const user of [-1, 0.5, 2 ** 32 - 1, Number.NaN]) {
		expect(refusal(() => groupsOf(user))).toMatchObject(outOfRange);
		expect(refusal(() => groupsOf("root", user))).toMatchObject(outOfRange);
	}
	expect(refusal(() => groupsOf("ro\0ot")).code).toBe("ERR_INVALID_ARG_VALUE");
	expect(refusal(() => groupsOf("root", "0" as never)).code).toBe("ERR_INVALID_ARG_TYPE");
});

test("a name of ten million letters is no user's, and its message is short", () => {
	const error = refusal(() => groupsOf("x".repeat(10_000_000)));
	expect(error).toMatchObject(unknown);
	expect(error.message.length).toBeLessThan(1000);
});

test("the message for a name of digits says how to give an id", () => {
	expect(refusal(() => groupsOf("4294967294")).message).toMatch(/number/);
});
