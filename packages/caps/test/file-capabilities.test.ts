import { chdir, Location, openat2 } from "@nearfar/core";
import { describe, expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { neverOpen, refusal, refused } from "../../../test/refusal.ts";
import { CapabilitySet, type FileCapabilities, fileCapabilities } from "../src/index.ts";
import { farPlace, nearPlace } from "./file-place.ts";

const { read, write, remove } = fileCapabilities;
const noLinks = { symlinks: false };

/** Returns what `read` returns for these capabilities, all of them permitted and effective. */
function permitted(names: Parameters<typeof CapabilitySet.from>[0]): FileCapabilities {
	const set = CapabilitySet.from(names);
	return {
		permitted: set,
		inheritable: CapabilitySet.from([]),
		effective: set.bits !== 0n,
		rootId: undefined,
		version: 2,
	};
}

describe.each([["near"], ["far"]])("%s", (where) => {
	const declare = where === "near" ? needs("root") : { test };
	const makePlace = async () => (where === "near" ? nearPlace() : await farPlace());

	declare.test("a path is followed through a link at its end", async () => {
		await using place = await makePlace();
		const { run, at } = place;
		expect(run(() => read(at("file")))).toBeUndefined();
		run(() => write(at("link"), { permitted: ["netRaw"] }));
		expect(run(() => [read(at("file")), read(at("link")), read(Buffer.from(at("link")))])).toEqual(
			Array(3).fill(permitted(["netRaw"])),
		);
		expect(run(() => remove(at("link")))).toBe(true);
		expect(run(() => [read(at("file")), remove(at("file")), remove(at("link"))])).toEqual([undefined, false, false]);
	});

	declare.test("with symlinks false a link itself has no capabilities, and gets none", async () => {
		await using place = await makePlace();
		const { run, at } = place;
		const link = new Location(undefined, at("link"), noLinks);
		const file = new Location(undefined, at("file"), noLinks);
		run(() => write(at("file"), { permitted: ["kill"] }));
		expect(run(() => read(link))).toBeUndefined();
		expect(run(() => remove(link))).toBe(false);
		expect(refusal(() => run(() => write(link, { permitted: ["kill"] })))).toMatchObject({
			code: "EINVAL",
			syscall: "setxattr",
			path: at("link"),
		});
		expect(run(() => read(file))).toEqual(permitted(["kill"]));
		run(() => write(file, { permitted: ["chown"] }));
		expect(run(() => [read(file), remove(file), read(file)])).toEqual([permitted(["chown"]), true, undefined]);
	});

	declare.test("an open file is reached by its descriptor, whatever it was opened for", async () => {
		await using place = await makePlace();
		const { run, at } = place;
		run(() => {
			using file = openat2(at("file"));
			write(file, { permitted: ["netRaw"] });
			expect(read(file)).toEqual(permitted(["netRaw"]));
			expect(read(new Location(file))).toEqual(permitted(["netRaw"]));
			write(new Location(file), { permitted: ["kill"] });
			expect(read(at("file"))).toEqual(permitted(["kill"]));
			expect([remove(new Location(file)), remove(file)]).toEqual([true, false]);
		});
	});

	declare.test("a descriptor that only names a file is EBADF", async () => {
		await using place = await makePlace();
		const { run, at } = place;
		run(() => {
			using name = openat2(at("file"), { flags: ["path"] });
			for (const file of [name, new Location(name)]) {
				expect(() => read(file)).toThrow(refused("EBADF", "fgetxattr"));
				expect(() => write(file, { permitted: ["kill"] })).toThrow(refused("EBADF", "fsetxattr"));
				expect(() => remove(file)).toThrow(refused("EBADF", "fremovexattr"));
			}
		});
	});

	needs(...(where === "near" ? (["root", "Linux 6.13"] as const) : (["Linux 6.13"] as const))).test(
		"a path that begins at an open directory is reached from there",
		async () => {
			await using place = await makePlace();
			const { run, at } = place;
			run(() => {
				using folder = openat2(at("."), { flags: ["path", "directory"] });
				const [file, link] = [new Location(folder, "file"), new Location(folder, "folder/../link")];
				write(link, { permitted: ["netRaw"], inheritable: ["kill"] });
				expect(read(file)).toEqual({ ...permitted(["netRaw"]), inheritable: CapabilitySet.from(["kill"]) });
				expect(read(link)).toEqual(read(file));
				const itself = new Location(folder, "link", { symlinks: false, automount: false });
				expect([read(itself), remove(itself)]).toEqual([undefined, false]);
				expect(() => write(itself, {})).toThrow(refused("EINVAL", "setxattr"));
				expect([remove(file), remove(file)]).toEqual([true, false]);
				expect(() => read(new Location(folder, "none"))).toThrow(refused("ENOENT", "getxattrat"));
				expect(() => remove(new Location(folder, "none"))).toThrow(refused("ENOENT", "removexattrat"));
			});
		},
	);

	declare.test("a location without a directory, or with an absolute path, needs no new call", async () => {
		await using place = await makePlace();
		const { run, at } = place;
		run(() => {
			using other = openat2("/", { flags: ["path", "directory"] });
			for (const file of [new Location(undefined, at("file")), new Location(other, at("file"))]) {
				write(file, { permitted: ["kill"] });
				expect(read(file)).toEqual(permitted(["kill"]));
				expect(remove(file)).toBe(true);
			}
			expect(() => remove(new Location(other, at("none")))).toThrow(refused("ENOENT", "removexattr"));
			expect(() => remove(new Location(other, at("none"), noLinks))).toThrow(refused("ENOENT", "lremovexattr"));
		});
	});

	declare.test("everything but a regular file is EINVAL with the path, and stays without capabilities", async () => {
		await using place = await makePlace();
		const { run, at } = place;
		run(() => {
			for (const path of [at("folder"), "/dev/null"]) {
				expect(refusal(() => write(path, { permitted: ["kill"] }))).toMatchObject({ code: "EINVAL", path });
			}
			using folder = openat2(at("folder"));
			for (const file of [folder, new Location(folder), new Location(folder, ".")]) {
				expect(() => write(file, "cap_kill=ep")).toThrow(refused("EINVAL", "setxattr"));
			}
			expect(read(folder)).toBeUndefined();
		});
	});

	declare.test("what is missing or no place is the kernel's refusal", async () => {
		await using place = await makePlace();
		const { run, at } = place;
		const long = at("n".repeat(256));
		run(() => {
			for (const [path, code] of [
				[at("none"), "ENOENT"],
				["", "ENOENT"],
				[at("dangling"), "ENOENT"],
				[at("file/x"), "ENOTDIR"],
				[long, "ENAMETOOLONG"],
			] as const) {
				expect(() => read(path)).toThrow(refused(code, "getxattr"));
				expect(() => write(path, {})).toThrow(refused(code, "statx"));
				expect(() => remove(path)).toThrow(refused(code, "removexattr"));
			}
			const nothing = new Location(undefined, "", { emptyPath: false });
			expect(() => read(nothing)).toThrow(refused("ENOENT", "getxattr"));
			neverOpen((fd) => {
				expect(() => read(fd)).toThrow(refused("EBADF", "fgetxattr"));
				expect(() => write(fd, {})).toThrow(refused("EBADF", "statx"));
				expect(() => remove(fd)).toThrow(refused("EBADF", "fremovexattr"));
			});
		});
	});

	declare.test("a file of /proc has no capabilities, and takes none: EOPNOTSUPP", async () => {
		await using place = await makePlace();
		place.run(() => {
			expect(() => read("/proc/self/status")).toThrow(refused("EOPNOTSUPP", "getxattr"));
			expect(() => remove("/proc/self/status")).toThrow(refused("EOPNOTSUPP", "removexattr"));
			expect(() => write("/proc/self/status", {})).toThrow(refused("EOPNOTSUPP", "setxattr"));
		});
	});

	declare.test("text and names write the same", async () => {
		await using place = await makePlace();
		const { run, at } = place;
		const written = (caps: Parameters<typeof write>[1]) =>
			run(() => {
				write(at("file"), caps);
				return read(at("file"));
			});
		for (const [text, caps] of [
			["cap_net_raw=ep", { permitted: ["netRaw"] }],
			["cap_kill,cap_net_raw=p", { permitted: [5, 13], effective: false }],
			["cap_kill=i", { inheritable: 32n, effective: false }],
			["cap_kill=ei cap_net_raw=ep", { permitted: ["netRaw"], inheritable: ["kill"] }],
			["41,63=ep", { permitted: [41, 63] }],
			["=ep", { permitted: CapabilitySet.all() }],
			["", {}],
			["=", { permitted: [], inheritable: 0n }],
		] as const) {
			expect(written(text)).toEqual(written(caps));
		}
		expect(written("")).toEqual(permitted([]));
		expect(written({ effective: true })).toEqual({ ...permitted([]), effective: true });
		expect(written("63=ep")).toEqual(permitted([63]));
	});
});

test("a relative path begins at the working directory of the task, and so does an empty one", async () => {
	await using place = await farPlace();
	place.run(() => {
		chdir("/tmp");
		write("file", { permitted: ["kill"] });
		expect(read(new Location(undefined, "file"))).toEqual(permitted(["kill"]));
		expect(read(new Location(undefined))).toBeUndefined();
		expect(() => write(new Location(undefined), {})).toThrow(refused("EINVAL", "setxattr"));
	});
});
