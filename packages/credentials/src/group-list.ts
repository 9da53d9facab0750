import { array, id, outOfRange } from "@nearfar/core/internal";

const MOST = 65536; // NGROUPS_MAX

/** Checks a list of groups to set. Returns a copy. */
export function groupList(groups: readonly number[], name: string): number[] {
	const list = array(groups, name).map((group, index) => id(group, `${name}[${index}]`));
	if (list.length > MOST) throw outOfRange(name, `at most ${MOST} ids`, list.length);
	return list;
}
