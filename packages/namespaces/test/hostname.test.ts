import { hostname } from "node:os";
import { Task } from "@nearfar/core";
import { sethostname } from "@nearfar/namespaces";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { hostnameIn, powerless } from "./tasks.ts";

const syscall = "sethostname";
const inside = { namespaces: ["user", "uts"], idMap: "root" } as const;

test("a host name is set inside, and nowhere else", async () => {
	const before = hostname();
	await using task = await Task.clone(inside);
	task.run(() => sethostname("inside"));
	expect(hostnameIn(task)).toBe("inside");
	task.run(() => sethostname(Buffer.from([0xc3, 0xa9])));
	expect(hostnameIn(task)).toBe("é");
	await task.batch(() => sethostname("n".repeat(64)));
	expect(hostnameIn(task)).toBe("n".repeat(64));
	expect(hostname()).toBe(before);
});

test("more than 64 bytes are EINVAL", async () => {
	await using task = await Task.clone(inside);
	expect(task.run(() => refusal(() => sethostname("n".repeat(65))))).toMatchObject({ code: "EINVAL", syscall });
});

test("without privilege it is EPERM", async () => {
	await using task = await powerless();
	expect(task.run(() => refusal(() => sethostname("other")))).toMatchObject({ code: "EPERM", syscall });
});

needs("an ordinary user").test("near it is the name of the machine", () => {
	expect(refusal(() => sethostname("other"))).toMatchObject({ code: "EPERM", syscall });
});

test("wrong names reach no kernel", () => {
	expect(refusal(() => sethostname("a\0b")).code).toBe("ERR_INVALID_ARG_VALUE");
	expect(refusal(() => sethostname(Buffer.from("a\0"))).code).toBe("ERR_INVALID_ARG_VALUE");
	expect(refusal(() => sethostname(5 as never)).code).toBe("ERR_INVALID_ARG_TYPE");
});
