<?php
/**
 * The route wc-tillsync/v1/status: GET.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Closure;
use Tillsync\Bridge\Connection\SiteIdentity;
use WP_REST_Request;
use WP_REST_Response;

/**
 * Describes the plugin and the site. The service calls it before it completes a connect, in CheckAccount, and as its probe when writes
 * fail.
 */
final class StatusRoute {

	public const NAMESPACE = 'wc-tillsync/v1';

	/** Maximum number of customers in a batch, from the contract. */
	public const MAX_BATCH = 500;

	/**
	 * Versions of the wire that the plugin supports. Version 1 answers `invalid` to an item with an unknown field; version 2 ignores the
	 * field. The service sends newer fields only to a plugin that names 2 or above. Version 3 keeps the till customer of an item, and has
	 * the routes of HistoryRoutes.
	 */
	public const APIS = array( 1, 2, 3 );

	public function __construct( private readonly SignedRequest $signed_request ) {}

	/** @param Closure(): self $made Creates the object when a request comes. */
	public static function add_routes( Closure $made ): void {
		register_rest_route(
			self::NAMESPACE,
			'/status',
			array(
				'methods'             => 'GET',
				'permission_callback' => static fn( WP_REST_Request $request ) => $made()->signed_request->status_permission( $request ),
				'callback'            => static fn() => $made()->answer(),
			)
		);
	}

	public function answer(): WP_REST_Response {
		$response = new WP_REST_Response(
			array(
				'bridge_version' => \Tillsync\Bridge\VERSION,
				// Older services read only "api" and accept only 1. It is the oldest version that this plugin supports.
				'api'            => 1,
				'apis'           => self::APIS,
				'home_url'       => SiteIdentity::home_url(),
				'wordpress'      => (string) get_bloginfo( 'version' ),
				'woocommerce'    => defined( 'WC_VERSION' ) ? (string) WC_VERSION : '',
				'max_batch'      => self::MAX_BATCH,
				'price_decimals' => function_exists( 'wc_get_price_decimals' ) ? (int) wc_get_price_decimals() : 2,
			)
		);
		// WordPress sends no such header with anonymous responses, and a cached response would hide later failures.
		$response->header( 'Cache-Control', 'no-store, private' );
		return $response;
	}
}
