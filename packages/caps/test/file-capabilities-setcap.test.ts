import { execFileSync, spawnSync } from "node:child_process";
import { native } from "@nearfar/core/internal";
import { afterAll, beforeAll, expect } from "vitest";
import { needs } from "../../../test/needs.ts";
import { CapabilitySet, fileCapabilities, formatCapabilities, parseCapabilities } from "../src/index.ts";
import { type FilePlace, nearPlace } from "./file-place.ts";

const AT_FDCWD = -100;
const withLibcap = needs("root", "the program setcap", "the program getcap");
let place: FilePlace;

beforeAll(() => {
	place = nearPlace();
});

afterAll(() => place[Symbol.asyncDispose]());

/** Returns the bytes that the file has in the kernel. */
function bytes(): string {
	return native().getxattr(AT_FDCWD, place.at("file"), 0, "security.capability", 24).toString("hex");
}

/** Returns what getcap says of the file, without the path. */
function getcap(): string {
	const line = execFileSync("getcap", ["-n", place.at("file")], { encoding: "utf8" }).trimEnd();
	return line.slice(place.at("file").length);
}

withLibcap.test.each([
	["cap_net_raw=ep"],
	["cap_net_raw=p"],
	["cap_kill,cap_net_raw=i"],
	["cap_kill=ei cap_net_raw=ep"],
	["cap_chown=eip cap_sys_admin,cap_bpf,cap_checkpoint_restore=eip"],
	["CAP_KILL+p"],
	["=ep"],
	["=p cap_kill-p"],
	["all=i"],
	["41=ep"],
	["63,0x20=p"],
	["="],
	[""],
])("setcap and write store the same bytes for %j, and getcap reads what was written", (text) => {
	const file = place.at("file");
	execFileSync("setcap", [text, file]);
	const [stored, shown] = [bytes(), getcap()];
	const read = fileCapabilities.read(file);
	const { effective, permitted, inheritable } = parseCapabilities(text);
	expect(read).toEqual({ permitted, inheritable, effective: effective.bits !== 0n, rootId: undefined, version: 2 });
	expect(shown.trim()).toBe(formatCapabilities({ effective, permitted, inheritable }));

	expect(fileCapabilities.remove(file)).toBe(true);
	expect(getcap()).toBe("");
	fileCapabilities.write(file, text);
	expect([bytes(), getcap()]).toEqual([stored, shown]);

	execFileSync("setcap", ["-r", file]);
	expect(fileCapabilities.read(file)).toBeUndefined();
	fileCapabilities.write(file, { permitted, inheritable, effective: effective.bits !== 0n });
	expect([bytes(), getcap()]).toEqual([stored, shown]);
});

withLibcap.test.each([[1], [1000], [4294967294]])(
	"setcap -n and write store the same bytes for root id %i",
	(rootId) => {
		const file = place.at("file");
		execFileSync("setcap", ["-n", `${rootId}`, "cap_kill=ep", file]);
		const [stored, shown] = [bytes(), getcap()];
		const permitted = CapabilitySet.from(["kill"]);
		expect(fileCapabilities.read(file)).toMatchObject({ permitted, effective: true, rootId, version: 3 });
		fileCapabilities.remove(file);
		fileCapabilities.write(file, { permitted: ["kill"], rootId });
		expect([bytes(), getcap()]).toEqual([stored, shown]);
	},
);

withLibcap.test(
	"setcap and write refuse the same: a folder, a link, and a part of the capabilities that is effective",
	() => {
		const setcap = (text: string, name: string) => spawnSync("setcap", [text, place.at(name)]).status;
		for (const [text, name] of [
			["cap_kill=ep", "folder"],
			["cap_kill,cap_chown=p cap_kill+e", "file"],
			["cap_kill=p cap_chown=e", "file"],
			["cap_kill=q", "file"],
			["kill=ep", "file"],
			["cap_kill=ep", "none"],
		] as const) {
			expect([text, name, setcap(text, name)]).toEqual([text, name, 1]);
			expect(() => fileCapabilities.write(place.at(name), text)).toThrow();
		}
	},
);
