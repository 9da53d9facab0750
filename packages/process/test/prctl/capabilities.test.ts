import { Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { prctl } from "../../src/index.ts";

const CAPSET = process.arch === "arm64" ? 91 : 126;
const [PR_CAPBSET_DROP, PR_SET_SECUREBITS, PR_CAP_AMBIENT] = [24, 28, 47];
const [IS_SET, RAISE, CLEAR_ALL] = [1, 2, 4];
const [CHOWN, NO_CAPABILITY] = [0, 64];

test.each<[string, string, number[]]>([
	["an unknown operation", "EINVAL", [99]],
	["CLEAR_ALL with an argument", "EINVAL", [CLEAR_ALL, 1]],
	["IS_SET of no capability", "EINVAL", [IS_SET, NO_CAPABILITY]],
	["RAISE of one that is not inheritable", "EPERM", [RAISE, CHOWN]],
])("PRC-04 ambient capabilities, %s: %s", async (_, code, args) => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	const refused = expect.objectContaining({ code, syscall: "prctl", task: `${task}` });
	expect(() => task.run(() => prctl(PR_CAP_AMBIENT, ...args))).toThrow(refused);
});

test("PRC-05 securebits and the bounding set need CAP_SETPCAP: EPERM; what is no capability: EINVAL", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	const refused = (code: string) => expect.objectContaining({ code, syscall: "prctl" });
	expect(() => task.run(() => prctl(PR_CAPBSET_DROP, NO_CAPABILITY))).toThrow(refused("EINVAL"));
	const header = Buffer.alloc(8);
	header.writeUInt32LE(0x2008_0522); // _LINUX_CAPABILITY_VERSION_3, of the caller
	task.syscall(CAPSET, header, Buffer.alloc(24));
	expect(() => task.run(() => prctl(PR_SET_SECUREBITS, 1))).toThrow(refused("EPERM"));
	expect(() => task.run(() => prctl(PR_CAPBSET_DROP, CHOWN))).toThrow(refused("EPERM"));
	expect(task.run(() => prctl("capbsetRead", CHOWN))).toBe(1);
});
