/** How documents look on paper and on a screen: system fonts, black on white, rows that are not cut by a page's end. */
export const DOCUMENT_CSS = `* { box-sizing: border-box; }
body { margin: 0; color: #111; background: #fff; font: 11pt/1.4 system-ui, sans-serif; }
main { max-width: 190mm; margin: 0 auto; padding: 12mm 8mm; }
header { display: flex; justify-content: space-between; align-items: baseline; }
h1 { margin: 0 0 6mm; font-size: 20pt; }
h2 { margin: 0 0 1mm; font-size: 10pt; color: #444; }
.mark { margin: 0; padding: 1mm 3mm; border: 0.6mm solid #111; font-weight: 700; letter-spacing: 0.1em; }
.parties { display: flex; gap: 16mm; margin-bottom: 6mm; }
address { font-style: normal; }
dl { display: flex; flex-wrap: wrap; gap: 2mm 8mm; margin: 0 0 6mm; }
dt { font-size: 9pt; color: #444; }
dd { margin: 0; }
table { width: 100%; font-size: 9.5pt; border-collapse: collapse; margin-bottom: 6mm; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 700; padding-bottom: 1mm; }
th, td { padding: 1mm 1.5mm; text-align: left; vertical-align: top; border-bottom: 0.2mm solid #999; font-weight: 400; overflow-wrap: anywhere; }
thead th, tbody th { overflow-wrap: normal; white-space: nowrap; }
thead { display: table-header-group; }
thead th { border-bottom: 0.4mm solid #111; font-weight: 700; }
tr { break-inside: avoid; }
.number { text-align: right; white-space: nowrap; }
.totals th { white-space: normal; overflow-wrap: anywhere; }
.totals { width: auto; font-size: 11pt; min-width: 50%; margin-left: auto; break-inside: avoid; }
.totals tr:last-child > * { border-bottom: 0; border-top: 0.4mm solid #111; font-weight: 700; }
.notes { font-size: 9pt; }
@media print { main { max-width: none; padding: 0; } }`
