//! Answers to those who read: an object, a range of it, what is known of it, and listings.

use std::ops::Range;

use futures::TryStreamExt;
use http_body_util::StreamBody;
use hyper::body::Frame;
use s3s::dto::{
    CommonPrefix, ETag, ETagCondition, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, ObjectKey,
    StreamingBlob,
};
use s3s::{Body, S3Error, S3Result, s3_error};
use stillpoint_core::ports::RepositoryError;
use stillpoint_core::ports::repository::Content;

use super::errors::of_repository;
use super::listing::Page;
use super::room::Reader;
use super::shelf::{Object, Shelf};

/// An object or a range of it. Its bytes end in an error if they are not what is known.
pub(super) async fn get(shelf: &Shelf, input: &GetObjectInput) -> S3Result<GetObjectOutput> {
    let object = find(shelf, &input.key, input.if_match.as_ref())?;
    let range = input.range.map(|range| range.check(object.size)).transpose()?;
    let read = shelf.read(&input.key, &object, range.clone()).await;
    let (content, reader) = read.map_err(|error| of_repository(&error))?;
    let size = range.as_ref().map_or(object.size, |range| range.end - range.start);
    Ok(GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        body: Some(blob(content, reader)),
        content_length: Some(length(size)),
        content_range: range.map(|range| content_range(&range, object.size)),
        content_type: Some("application/octet-stream".to_owned()),
        e_tag: Some(ETag::Strong(object.etag())),
        last_modified: Some(object.written.into()),
        ..GetObjectOutput::default()
    })
}

/// What is known of an object.
pub(super) fn head(shelf: &Shelf, input: &HeadObjectInput) -> S3Result<HeadObjectOutput> {
    let object = find(shelf, &input.key, input.if_match.as_ref())?;
    Ok(HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: Some(length(object.size)),
        content_type: Some("application/octet-stream".to_owned()),
        e_tag: Some(ETag::Strong(object.etag())),
        last_modified: Some(object.written.into()),
        ..HeadObjectOutput::default()
    })
}

fn find(shelf: &Shelf, name: &str, condition: Option<&ETagCondition>) -> S3Result<Object> {
    let object = shelf.find(name).ok_or_else(|| s3_error!(NoSuchKey))?;
    match condition {
        Some(ETagCondition::ETag(etag)) if etag.value() != object.etag() => Err(s3_error!(PreconditionFailed)),
        _ => Ok(object),
    }
}

/// The entries of a page as `s3s` writes them.
pub(super) fn entries(page: Page<Object>) -> (Vec<s3s::dto::Object>, Vec<CommonPrefix>) {
    let objects = page.objects.into_iter().map(|(name, object)| entry(name, &object));
    let prefixes = page
        .prefixes
        .into_iter()
        .map(|prefix| CommonPrefix { prefix: Some(prefix) });
    (objects.collect(), prefixes.collect())
}

fn entry(name: ObjectKey, object: &Object) -> s3s::dto::Object {
    s3s::dto::Object {
        e_tag: Some(ETag::Strong(object.etag())),
        key: Some(name),
        last_modified: Some(object.written.into()),
        size: Some(length(object.size)),
        ..s3s::dto::Object::default()
    }
}

/// A cause that is not the client's business ends the connection, and is told to diagnostics.
fn blob(content: Content, reader: Reader) -> StreamingBlob {
    let frames = content.map_ok(Frame::data).map_err(move |error: RepositoryError| {
        let _until_the_end = &reader;
        of_repository(&error)
    });
    Body::http_body_unsync(StreamBody::new(frames)).into()
}

fn content_range(range: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1))
}

fn length(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// A write to a gateway that only serves.
pub(super) fn read_only() -> S3Error {
    s3_error!(AccessDenied, "nothing can be written here")
}
