/** What other rooms use of cohort/. */
export { excludePatient, openCohort, patientImage } from './cohort.ts'
export type { Cohort, Patient, PatientImage, PatientStructure, Role } from './cohort.ts'
export { importSources } from './import.ts'
export type { ImportedCase, ImportOptions, ImportResult } from './import.ts'
export { cohortTable, importTable, refusedCount } from './tables.ts'
