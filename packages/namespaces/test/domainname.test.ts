import { openat2, Task } from "@nearfar/core";
import { setdomainname } from "@nearfar/namespaces";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { powerless } from "./tasks.ts";

const syscall = "setdomainname";
const inside = { namespaces: ["user", "uts"], idMap: "root" } as const;

/** Returns the domain name that a task, or this process, sees. */
function domainIn(task: Pick<Task, "run">): string {
	return task.run(() => {
		using file = openat2("/proc/sys/kernel/domainname");
		return file.read(65).toString().trimEnd();
	});
}

test("a domain name is set inside, and nowhere else", async () => {
	const before = domainIn(Task.near);
	await using task = await Task.clone(inside);
	task.run(() => setdomainname("inside.example"));
	expect(domainIn(task)).toBe("inside.example");
	task.run(() => setdomainname(Buffer.from([0xc3, 0xa9])));
	expect(domainIn(task)).toBe("é");
	await task.batch(() => setdomainname("n".repeat(64)));
	expect(domainIn(task)).toBe("n".repeat(64));
	task.run(() => setdomainname(""));
	expect(domainIn(task)).toBe("");
	expect(domainIn(Task.near)).toBe(before);
});

test("a domain name of more than 64 bytes is EINVAL", async () => {
	await using task = await Task.clone(inside);
	const long = "n".repeat(65);
	expect(task.run(() => refusal(() => setdomainname(long)))).toMatchObject({ code: "EINVAL", syscall });
	await expect(task.batch(() => setdomainname(long))).rejects.toMatchObject({ code: "EINVAL", syscall, step: 0 });
});

test("setting a domain name without privilege is EPERM", async () => {
	await using task = await powerless();
	expect(task.run(() => refusal(() => setdomainname("other")))).toMatchObject({ code: "EPERM", syscall });
});

needs("an ordinary user").test("near, the domain name is that of the machine", () => {
	expect(refusal(() => setdomainname("other"))).toMatchObject({ code: "EPERM", syscall });
});

test("wrong domain names reach no kernel", () => {
	expect(refusal(() => setdomainname("a\0b")).code).toBe("ERR_INVALID_ARG_VALUE");
	expect(refusal(() => setdomainname(Buffer.from("a\0"))).code).toBe("ERR_INVALID_ARG_VALUE");
	expect(refusal(() => setdomainname(undefined as never)).code).toBe("ERR_INVALID_ARG_TYPE");
});
