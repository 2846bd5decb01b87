// Groups alerts to incidents: one camera's alerts that follow each other are one thing for an operator to look at.
// Questions are not: each is about something else, and is answered by its own picture.

export const RANK = { critical: 5, high: 4, medium: 3, low: 2, info: 1 };

/** A pause of this long on a camera ends an incident; so does its age, or a busy camera would be one for ever. */
export const PAUSE_MS = 120_000;
export const LONGEST_MS = 600_000;

const worse = (a, b) => RANK[b.severity] - RANK[a.severity] || b.started_at_ms - a.started_at_ms || b.number - a.number;

/** [{id, lead, under}]: the worst first, among equals the newest; `under` are the incident's others, worst first. */
export function incidents(rows) {
  const byCamera = new Map();
  for (const row of rows) {
    const key = row.kind === "question" ? row.id : row.site + "/" + row.camera;
    if (!byCamera.has(key)) byCamera.set(key, []);
    byCamera.get(key).push(row);
  }
  const groups = [];
  for (const list of byCamera.values()) {
    list.sort((a, b) => a.started_at_ms - b.started_at_ms || a.number - b.number);
    let group = null;
    for (const row of list) {
      const end = Math.max(row.started_at_ms, row.ended_at_ms || row.at_ms);
      if (!group || row.started_at_ms > group.end + PAUSE_MS || row.started_at_ms > group.start + LONGEST_MS) {
        group = { id: row.id, start: row.started_at_ms, end, rows: [] };
        groups.push(group);
      }
      group.rows.push(row);
      group.end = Math.max(group.end, end);
    }
  }
  const made = groups.map(({ id, rows }) => {
    const [lead, ...under] = rows.sort(worse);
    return { id, lead, under };
  });
  return made.sort((a, b) => worse(a.lead, b.lead));
}
