import type { Cgroup } from "@nearfar/cgroup";
import { NearfarError, SyscallError } from "@nearfar/core";
import { allControllers } from "../cgroup-limits.ts";
import type { ReportItem } from "./items.ts";

/** Tries both ways to a group in which a sandbox can make its own. */
export async function lookForGroups(): Promise<ReportItem> {
	const { Cgroup } = await import("@nearfar/cgroup");
	const ways = [await attempt("find", () => Cgroup.find()), await attempt("viaSystemd", () => Cgroup.viaSystemd())];
	const found = ways.map(({ text }) => text).join("; ");
	if (ways.some(({ ok }) => ok)) return { name: "cgroups", ok: true, note: found };
	const hint = [...new Set(ways.flatMap(({ hint }) => hint ?? []))].join("\n");
	return { name: "cgroups", ok: false, cause: found, ...(hint && { hint }) };
}

interface Way {
	readonly ok: boolean;
	readonly text: string;
	readonly hint?: string;
}

async function attempt(name: string, open: () => Cgroup | Promise<Cgroup>): Promise<Way> {
	try {
		await using group = await open();
		const { path, origin, controllers } = group;
		const missing = allControllers.filter((each) => !controllers.includes(each));
		const without = missing.length > 0 ? `, without ${missing.join(" and ")}` : "";
		return { ok: true, text: `${name}: ${path} (${origin}) with ${controllers.join(" ")}${without}` };
	} catch (error) {
		if (!(error instanceof NearfarError || error instanceof SyscallError)) throw error;
		const { hint } = error as { hint?: string };
		return { ok: false, text: `${name}: ${error.message}`, ...(hint !== undefined && { hint }) };
	}
}
