<?php
/**
 * REST routes of the customer types screen.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Types;

use Closure;
use Throwable;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\Rest\NoStoreResponse;
use WP_Error;
use WP_REST_Request;

/** Serves tillsync-bridge/v1/customer-types/preview and …/progress without a call to the service. */
final class RoleRoutes {

	public function __construct(
		private readonly RoleRun $role_run,
		private readonly RoleRules $role_rules,
		private readonly RolePreview $role_preview,
		private readonly Log $log
	) {}

	/** @param Closure(): self $made Creates the object when a request comes. */
	public static function add_routes( Closure $made ): void {
		self::add_route( 'GET', 'progress', $made, static fn( self $routes ) => $routes->role_run->progress() );
		self::add_route( 'POST', 'preview', $made, static fn( self $routes, WP_REST_Request $request ) => $routes->preview( RoleMap::of( $request->get_json_params()['map'] ?? array() ) ) );
	}

	/**
	 * @param Closure(): self                                       $made Creates the object when a request comes.
	 * @param Closure(self, WP_REST_Request): array<string, mixed> $body Returns the response data.
	 */
	private static function add_route( string $method, string $name, Closure $made, Closure $body ): void {
		register_rest_route(
			AdminGate::NAMESPACE,
			'/customer-types/' . $name,
			array(
				'methods'             => $method,
				'permission_callback' => array( AdminGate::class, 'permission' ),
				'callback'            => static function ( WP_REST_Request $request ) use ( $made, $body, $name ) {
					$routes = $made();
					try {
						return NoStoreResponse::of( $body( $routes, $request ) );
					} catch ( Throwable $error ) {
						$routes->log->failure( "customer types: {$name}", $error );
						return new WP_Error( 'tillsync_failed', __( 'Something failed in the plugin: see the log of Tillsync.', 'tillsync-bridge' ), array( 'status' => 500 ) );
					}
				},
			)
		);
	}

	/** @return array<string, mixed> */
	private function preview( RoleMap $map ): array {
		return array( 'problems' => array_values( $map->problems( $this->role_rules ) ) ) + $this->role_preview->of( $map );
	}
}
