import { readdirSync } from "node:fs";
import { mount, tmpfs } from "@nearfar/mount";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { doctor } from "../src/index.ts";
import { ask } from "./host.ts";

test("doctor() says that this host can run sandboxes, and leaves nothing", async () => {
	const before = readdirSync(process.cwd());
	const { ok, verdict, items } = await doctor();
	expect(items.filter((item) => !item.ok && item.name !== "cgroups")).toEqual([]);
	expect({ ok, verdict }).toEqual({ ok: true, verdict: "This host can run sandboxes." });
	expect(readdirSync(process.cwd())).toEqual(before);
});

needs("ABI 3 of Landlock").test("doctor() says which ABI of Landlock this host has", async () => {
	const { items } = await doctor();
	expect(items).toContainEqual({ name: "landlock", ok: true, note: expect.stringMatching(/^ABI \d+/) });
});

test("SB-17 where /proc is masked, doctor() and the error say so with two ways out, and nothing has run", async () => {
	const { report, outcome, ran } = await ask({
		prepare() {
			mount(null, "/", null, { flags: ["rec", "private"] });
			tmpfs("/proc/tty");
		},
	});
	expect(ran).toBe(false);
	expect(outcome).toMatchObject({ code: "ERR_NEARFAR_SANDBOX_UNAVAILABLE", step: "proc" });
	expect(outcome.message).toMatch(/masked \(mounts cover \/proc\/tty\).* Or, as the administrator/s);
	expect(outcome.items.map(({ name }) => name)).toEqual(["proc"]);
	expect(report.verdict).toMatch(/^This host cannot run sandboxes: it lacks proc\./);
});
