/** @file The door of `contracts`: what features meet through. Types and wire schemas only, no behaviour. */
export type { Answer, Answerer, AnswerPart, AnswerRequest, Citation } from "./answer.ts";
export type { AuditActor, AuditEntry, AuditQuery, AuditService, AuditStatus, AuditVerdict } from "./audit.ts";
export type { BenchRow, Spread } from "./bench.ts";
export type { Block, BlockKind, Box, Chunk, DocumentMeta, ParsedDocument } from "./document.ts";
export type { JobContext, JobHandler, JobInfo, JobKind, JobRequest, JobRunner, JobState } from "./jobs.ts";
export type { ChunkInfo, DocumentInfo, DocumentState, KnowledgeBaseInfo } from "./knowledge.ts";
export type {
  ChatMessage,
  EmbeddingModel,
  FinishReason,
  GenerateRequest,
  JsonSchema,
  LanguageModel,
  ModelInfo,
  ModelKind,
  ModelState,
  QueuePlace,
  Reranker,
  StreamPart,
  TokenLogprob,
  ToolCall,
  ToolChoice,
  ToolDefinition,
  Usage,
} from "./model.ts";
export type {
  BackedUpModel,
  BackupInfo,
  BackupSchedule,
  BackupState,
  DiskLevel,
  OperationsService,
  RehearsalReport,
  StorageReport,
  UpdateState,
} from "./operations.ts";
export type {
  MaturityLevel,
  OperatorBenchCase,
  OperatorBenchRow,
  OperatorBenchSummary,
  OperatorRow,
  Operators,
  OperatorsOptions,
  OperatorVerifyRow,
} from "./operators.ts";
export type { PageInfo, PageInput, PageService } from "./pages.ts";
export type { AccessEntry, AccessList, Directory, Invitation, PeopleService, SessionInfoRow } from "./people.ts";
export type {
  Access,
  Actor,
  AuditEvent,
  AuditSink,
  Caller,
  Credentials,
  KeyScope,
  Level,
  PersonInfo,
  Platform,
  Principal,
  ReadableLists,
  Role,
  Team,
} from "./platform.ts";
export type {
  ErasureReport,
  Hold,
  HoldKind,
  MaskKind,
  MaskPlace,
  MaskPolicy,
  PrivacyService,
  RetentionPolicy,
  RetentionReport,
} from "./privacy.ts";
export type { Edition, RetrieveFilter, RetrieveHit, RetrieveRequest, RetrieveResult, Retriever, Viewer } from "./retrieval.ts";
export type {
  AddedFile,
  AnswerService,
  ChatInfo,
  ChatPart,
  ChatService,
  ChatTurn,
  Check,
  CuratedAnswer,
  DueReview,
  KnowledgeGap,
  KnowledgeService,
  ModelsService,
  Page,
  ReadyState,
  Services,
  SystemInfo,
  SystemService,
} from "./services.ts";
export type { Training, TrainingOptions, TrainLine, TrainLineOf } from "./training.ts";
export type {
  ApiKeyInfo,
  KeyScopeInput,
  KeysService,
  Meter,
  Metered,
  NewApiKey,
  Quota,
  QuotaKind,
  QuotaLimits,
  RequestKind,
  UsageGroup,
  UsageQuery,
  UsageService,
  UsageSum,
} from "./usage.ts";
