<?php
/**
 * Responses that no cache may store.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use WP_REST_Response;

/**
 * Creates responses about one person. For logged-in users WordPress sends its own Cache-Control after the response's headers, before 6.3
 * without "no-store". So a filter sets it there too.
 */
final class NoStoreResponse {

	private const CACHE_CONTROL = 'no-store, private, max-age=0';

	/** @param mixed $data Data of the response. */
	public static function of( $data ): WP_REST_Response {
		add_filter( 'nocache_headers', array( self::class, 'with_no_store' ), 100 );
		$response = new WP_REST_Response( $data );
		$response->header( 'Cache-Control', self::CACHE_CONTROL );
		return $response;
	}

	/**
	 * @param mixed $headers Headers of WordPress.
	 * @return mixed
	 */
	public static function with_no_store( $headers ) {
		return is_array( $headers ) ? array_merge( $headers, array( 'Cache-Control' => self::CACHE_CONTROL ) ) : $headers;
	}
}
