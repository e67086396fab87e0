//! The requests that a gateway answers, each checked for its bucket and name before anything else. What stores do not send
//! is not implemented, and is answered so.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CompletedMultipartUpload, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, DeletedObject, ETag, ETagCondition, GetBucketLocationInput, GetBucketLocationOutput,
    GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, s3_error};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::access::BUCKET;
use super::answers;
use super::body::Incoming;
use super::intake::{Intake, ended};
use super::listing::Query;
use super::multipart::Named;
use super::names::{self, Names};
use super::shelf::Shelf;

/// An end that takes longer is answered at once and said in the answer's body, as Amazon does: clients give up a request
/// that is silent for so long.
const SILENCE: Duration = Duration::from_secs(5);

/// One gateway's answers.
pub(super) struct Service {
    shelf: Arc<Shelf>,
    /// None where nothing can be written.
    intake: Option<Arc<Intake>>,
    names: Names,
}

impl Service {
    pub(super) fn new(shelf: Arc<Shelf>, intake: Option<Arc<Intake>>, names: Names) -> Self {
        Self { shelf, intake, names }
    }

    /// The intake, for a name that may be written.
    fn writes(&self, bucket: &str, key: &str) -> S3Result<&Arc<Intake>> {
        self.names.key(bucket, key)?;
        self.intake.as_ref().ok_or_else(answers::read_only)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every request ends with it")]
fn answer<T>(output: T) -> S3Result<S3Response<T>> {
    Ok(S3Response::new(output))
}

/// Whether an object must not be there; no other condition is known.
fn must_be_absent(none: Option<&ETagCondition>, matching: Option<&ETagCondition>) -> S3Result<bool> {
    match (none, matching) {
        (None, None) => Ok(false),
        (Some(ETagCondition::Any), None) => Ok(true),
        _ => Err(s3_error!(
            NotImplemented,
            "of conditions only If-None-Match: * is known"
        )),
    }
}

#[async_trait::async_trait]
impl S3 for Service {
    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        names::check_bucket(&req.input.bucket)?;
        answer(HeadBucketOutput::default())
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        names::check_bucket(&req.input.bucket)?;
        answer(GetBucketLocationOutput::default())
    }

    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let body = req.input.body.take();
        let input = &req.input;
        let intake = self.writes(&input.bucket, &input.key)?;
        let absent = must_be_absent(input.if_none_match.as_ref(), input.if_match.as_ref())?;
        let incoming = Incoming::of(&req, body, input.content_length)?;
        let etag = intake.put(&input.key, incoming, absent).await?;
        answer(PutObjectOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..PutObjectOutput::default()
        })
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let CreateMultipartUploadInput { bucket, key, .. } = req.input;
        let id = self.writes(&bucket, &key)?.begin_multipart(&key);
        answer(CreateMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        })
    }

    async fn upload_part(&self, mut req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let body = req.input.body.take();
        let input = &req.input;
        let intake = self.writes(&input.bucket, &input.key)?;
        let incoming = Incoming::of(&req, body, input.content_length)?;
        let upload = (input.key.as_str(), input.upload_id.as_str());
        let etag = intake.put_part(upload, input.part_number, incoming).await?;
        answer(UploadPartOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..UploadPartOutput::default()
        })
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = req.input;
        let intake = self.writes(&input.bucket, &input.key)?;
        let absent = must_be_absent(input.if_none_match.as_ref(), input.if_match.as_ref())?;
        let named = named(input.multipart_upload)?;
        let mut ended = intake.complete_multipart(&input.key, &input.upload_id, named, absent)?;
        match timeout(SILENCE, &mut ended).await {
            Ok(completed) => answer(completion(input.bucket, input.key, completed)?),
            Err(_) => answer(CompleteMultipartUploadOutput {
                future: Some(async move { completion(input.bucket, input.key, ended.await) }.boxed()),
                ..CompleteMultipartUploadOutput::default()
            }),
        }
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = &req.input;
        let intake = self.writes(&input.bucket, &input.key)?;
        intake.abort_multipart(&input.key, &input.upload_id).await?;
        answer(AbortMultipartUploadOutput::default())
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = &req.input;
        let intake = self.writes(&input.bucket, &input.key)?;
        let CopySource::Bucket { bucket, key, .. } = &input.copy_source else {
            return Err(s3_error!(AccessDenied, "the source is outside of the bucket"));
        };
        self.names.key(bucket, key)?;
        let copied = intake.copy(key, &input.key).await?;
        answer(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                e_tag: Some(ETag::Strong(copied.etag())),
                last_modified: Some(copied.written.into()),
                ..CopyObjectResult::default()
            }),
            ..CopyObjectOutput::default()
        })
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = &req.input;
        self.writes(&input.bucket, &input.key)?.remove(&input.key).await?;
        answer(DeleteObjectOutput::default())
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = &req.input;
        names::check_bucket(&input.bucket)?;
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in &input.delete.objects {
            let removed = match self.writes(&input.bucket, &object.key) {
                Ok(intake) => intake.remove(&object.key).await,
                Err(refused) => Err(refused),
            };
            match removed {
                Ok(()) => deleted.push(DeletedObject {
                    key: Some(object.key.clone()),
                    ..DeletedObject::default()
                }),
                Err(error) => errors.push(not_deleted(&object.key, &error)),
            }
        }
        if input.delete.quiet == Some(true) {
            deleted.clear();
        }
        answer(DeleteObjectsOutput {
            deleted: Some(deleted),
            errors: Some(errors),
            ..DeleteObjectsOutput::default()
        })
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.names.key(&req.input.bucket, &req.input.key)?;
        answer(answers::get(&self.shelf, &req.input).await?)
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.names.key(&req.input.bucket, &req.input.key)?;
        answer(answers::head(&self.shelf, &req.input)?)
    }

    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = req.input;
        self.names.check_listing(&input.bucket, input.prefix.as_deref())?;
        let query = Query {
            prefix: input.prefix.as_deref().unwrap_or_default(),
            delimiter: input.delimiter.as_deref().unwrap_or_default(),
            after: input.marker.as_deref().unwrap_or_default(),
            most: input.max_keys,
        };
        let (most, page) = (query.most(), query.page(&self.shelf.objects()));
        let next = page.next.clone();
        let (contents, prefixes) = answers::entries(page);
        answer(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: input.prefix,
            marker: input.marker,
            max_keys: i32::try_from(most).ok(),
            is_truncated: Some(next.is_some()),
            contents: Some(contents),
            common_prefixes: Some(prefixes),
            delimiter: input.delimiter,
            next_marker: next,
            ..ListObjectsOutput::default()
        })
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        self.names.check_listing(&input.bucket, input.prefix.as_deref())?;
        let after = input.continuation_token.as_deref().or(input.start_after.as_deref());
        let query = Query {
            prefix: input.prefix.as_deref().unwrap_or_default(),
            delimiter: input.delimiter.as_deref().unwrap_or_default(),
            after: after.unwrap_or_default(),
            most: input.max_keys,
        };
        let (most, page) = (query.most(), query.page(&self.shelf.objects()));
        let next = page.next.clone();
        let (contents, prefixes) = answers::entries(page);
        answer(ListObjectsV2Output {
            name: Some(input.bucket),
            max_keys: i32::try_from(most).ok(),
            key_count: i32::try_from(contents.len() + prefixes.len()).ok(),
            is_truncated: Some(next.is_some()),
            next_continuation_token: next,
            contents: Some(contents),
            common_prefixes: Some(prefixes),
            prefix: input.prefix,
            continuation_token: input.continuation_token,
            delimiter: input.delimiter,
            start_after: input.start_after,
            ..ListObjectsV2Output::default()
        })
    }
}

fn named(upload: Option<CompletedMultipartUpload>) -> S3Result<Named> {
    let parts = upload.and_then(|upload| upload.parts).unwrap_or_default();
    let part = |part: s3s::dto::CompletedPart| Some((part.part_number?, part.e_tag?.into_value()));
    let named: Option<Named> = parts.into_iter().map(part).collect();
    named.ok_or_else(|| s3_error!(MalformedXML, "a part has no number or no ETag"))
}

fn completion(
    bucket: String,
    key: String,
    completed: Result<S3Result<String>, oneshot::error::RecvError>,
) -> S3Result<CompleteMultipartUploadOutput> {
    let etag = completed.map_err(|_| ended())??;
    Ok(CompleteMultipartUploadOutput {
        location: Some(format!("/{BUCKET}/{key}")),
        bucket: Some(bucket),
        key: Some(key),
        e_tag: Some(ETag::Strong(etag)),
        ..CompleteMultipartUploadOutput::default()
    })
}

fn not_deleted(key: &str, error: &S3Error) -> s3s::dto::Error {
    s3s::dto::Error {
        code: Some(error.code().as_str().to_owned()),
        key: Some(key.to_owned()),
        message: error.message().map(ToOwned::to_owned),
        version_id: None,
    }
}
