<?php
/**
 * What the screen of customer types asks while it is open.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Types;

use Closure;
use Throwable;
use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\Part;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\Rest\NeverKept;
use Tillsync\Bridge\Services;
use WP_Error;
use WP_REST_Request;

/** tillsync-bridge/v1/customer-types/preview and …/progress. The service is not asked. */
final class RoleRoutes implements Part {

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	public function register(): void {
		add_action( 'rest_api_init', Guarded::action( $this->services, 'rest_api_init', fn() => $this->add_routes() ) );
	}

	private function add_routes(): void {
		$this->add_route( 'GET', 'progress', fn() => $this->services->get( RoleRun::class )->progress() );
		$this->add_route( 'POST', 'preview', fn( WP_REST_Request $request ) => $this->preview( RoleMap::of( $request->get_json_params()['map'] ?? array() ) ) );
	}

	private function add_route( string $method, string $name, Closure $body ): void {
		register_rest_route(
			AdminGate::NAMESPACE,
			'/customer-types/' . $name,
			array(
				'methods'             => $method,
				'permission_callback' => array( AdminGate::class, 'permission' ),
				'callback'            => function ( WP_REST_Request $request ) use ( $body, $name ) {
					try {
						return NeverKept::response( $body( $request ) );
					} catch ( Throwable $error ) {
						$this->services->log()->failure( "customer types: {$name}", $error );
						return new WP_Error( 'tillsync_failed', __( 'Something failed in the plugin: see the log of Tillsync.', 'tillsync-bridge' ), array( 'status' => 500 ) );
					}
				},
			)
		);
	}

	/** @return array<string, mixed> */
	private function preview( RoleMap $wanted ): array {
		return array( 'problems' => array_values( $wanted->problems( $this->services ) ) ) + $this->services->get( RolePreview::class )->of( $wanted );
	}
}
