<?php
/**
 * Answers that nobody may keep.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use WP_REST_Response;

/**
 * For answers about one person. For people who are logged in WordPress writes Cache-Control itself, after the response's own headers,
 * and before 6.3 without "no-store": so it is told there.
 */
final class NoStoreResponse {

	private const CACHE_CONTROL = 'no-store, private, max-age=0';

	/** @param mixed $data Of the answer. */
	public static function of( $data ): WP_REST_Response {
		add_filter( 'nocache_headers', array( self::class, 'with_no_store' ), 100 );
		$response = new WP_REST_Response( $data );
		$response->header( 'Cache-Control', self::CACHE_CONTROL );
		return $response;
	}

	/**
	 * @param mixed $headers As WordPress has them.
	 * @return mixed
	 */
	public static function with_no_store( $headers ) {
		return is_array( $headers ) ? array_merge( $headers, array( 'Cache-Control' => self::CACHE_CONTROL ) ) : $headers;
	}
}
