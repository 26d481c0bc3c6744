<?php
/**
 * REST routes of a shop customer's link.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

use Closure;
use Throwable;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Orders\TillCustomers;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\Rest\NoStoreResponse;
use Tillsync\Bridge\Rest\ServiceErrorResponse;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;
use WP_Error;
use WP_REST_Request;

/**
 * Links and unlinks a shop customer: tillsync-bridge/v1/customers/{id}/link with GET, POST {epos_customer_id} and DELETE. The user must
 * have the right to manage the shop and to edit that user. The service holds the links and does the work that follows: it sends points,
 * runs held orders or removes values.
 */
final class LinkRoutes {

	private const TIMEOUT_SECONDS = 20;

	public function __construct(
		private readonly TillCustomers $till_customers,
		private readonly ShopUsers $shop_users,
		private readonly ServiceClient $service_client,
		private readonly Log $log
	) {}

	/** @param Closure(): self $made Creates the object when a request comes. */
	public static function add_routes( Closure $made ): void {
		$id = array( 'epos_customer_id' => array( 'type' => 'string', 'required' => true, 'pattern' => '^[1-9][0-9]{0,18}$' ) );
		register_rest_route(
			AdminGate::NAMESPACE,
			'/customers/(?P<user_id>[1-9]\d{0,17})/link',
			array(
				self::endpoint( 'GET', $made, static fn( self $routes, int $user_id ) => array( 'link' => $routes->link( $user_id ) ) ),
				self::endpoint( 'POST', $made, static fn( self $routes, int $user_id, WP_REST_Request $request ) => $routes->create( $user_id, (string) $request['epos_customer_id'] ), $id ),
				self::endpoint( 'DELETE', $made, static fn( self $routes, int $user_id ) => $routes->remove( $user_id ) ),
			)
		);
	}

	/**
	 * @param Closure(): self                                            $made Creates the object when a request comes.
	 * @param Closure(self, int, WP_REST_Request): array<string, mixed> $body Returns the response data.
	 * @param array<string, array<string, mixed>>                       $args Parameters of the route.
	 * @return array<string, mixed>
	 */
	private static function endpoint( string $method, Closure $made, Closure $body, array $args = array() ): array {
		return array(
			'methods'             => $method,
			'permission_callback' => static fn( WP_REST_Request $request ) => self::permission( (int) $request['user_id'] ),
			'args'                => $args,
			'callback'            => static function ( WP_REST_Request $request ) use ( $made, $body ) {
				$routes = $made();
				try {
					return NoStoreResponse::of( $body( $routes, (int) $request['user_id'], $request ) );
				} catch ( ServiceError $error ) {
					return ServiceErrorResponse::of( $error );
				} catch ( Throwable $error ) {
					$routes->log->failure( 'link of a customer', $error );
					return new WP_Error( 'tillsync_failed', __( 'Something failed in the plugin: see the log of Tillsync.', 'tillsync-bridge' ), array( 'status' => 500 ) );
				}
			},
		);
	}

	/** Tells whether the present user may see and change this user's link. */
	public static function is_allowed( int $user_id ): bool {
		return current_user_can( AdminGate::CAPABILITY ) && current_user_can( 'edit_user', $user_id );
	}

	/** @return true|WP_Error */
	private static function permission( int $user_id ) {
		$gate = AdminGate::permission();
		if ( true !== $gate || self::is_allowed( $user_id ) ) {
			return $gate;
		}
		return new WP_Error( 'rest_forbidden', __( 'You may not edit this user.', 'tillsync-bridge' ), array( 'status' => rest_authorization_required_code() ) );
	}

	/**
	 * @return array<string, mixed>|null Null without a link.
	 * @throws ServiceError
	 */
	private function link( int $user_id ): ?array {
		try {
			$answer = $this->call( 'GetLink', array( 'wooCustomerId' => (string) $user_id ) );
		} catch ( ServiceError $error ) {
			if ( 'not_found' === $error->connect_code ) {
				return null;
			}
			throw $error;
		}
		$link = is_array( $answer['link'] ?? null ) ? $answer['link'] : array();
		$id   = is_scalar( $link['eposCustomerId'] ?? null ) ? (string) $link['eposCustomerId'] : '0';
		// The linked user is deleted, and another person has the id now. That person's profile shows nothing of the till customer.
		$is_of_another = RegistrationTime::is_link_of_another_person( $link, $user_id );
		return array(
			'epos_customer_id' => $id,
			'usable'           => true === ( $link['usable'] ?? false ) && ! $is_of_another,
			'origin'           => self::origin( $link['origin'] ?? '' ),
			'since'            => self::day( $link['createTime'] ?? '' ),
			'customer'         => $is_of_another ? null : $this->customer( $id ),
		);
	}

	/**
	 * Returns the till customer, or null when the till cannot be read. The link is shown without it.
	 *
	 * @return array<string, string>|null
	 */
	private function customer( string $epos_customer_id ): ?array {
		try {
			return $this->till_customers->find( $epos_customer_id );
		} catch ( ServiceError $error ) {
			return null;
		}
	}

	/**
	 * @return array<string, mixed>
	 * @throws ServiceError
	 */
	private function create( int $user_id, string $epos_customer_id ): array {
		$existing = $this->shop_users->existing( array( $user_id ) );
		if ( array() === $existing ) {
			throw new ServiceError( 'not_found', 0, __( 'This shop has no such customer', 'tillsync-bridge' ) );
		}
		$answer   = $this->call( 'CreateLink', array( 'wooCustomerId' => (string) $user_id, 'eposCustomerId' => $epos_customer_id ) );
		$released = (int) ( $answer['releasedOrderCount'] ?? 0 );
		$message  = __( 'Linked. Points and credit arrive in a moment.', 'tillsync-bridge' );
		if ( 0 < $released ) {
			/* translators: %s: number of orders */
			$message .= ' ' . sprintf( _n( '%s held order goes on.', '%s held orders go on.', $released, 'tillsync-bridge' ), number_format_i18n( $released ) );
		}
		return array( 'link' => $this->link( $user_id ), 'said' => $message );
	}

	/**
	 * @return array<string, mixed>
	 * @throws ServiceError
	 */
	private function remove( int $user_id ): array {
		try {
			$this->call( 'DeleteLink', array( 'wooCustomerId' => (string) $user_id ) );
		} catch ( ServiceError $error ) {
			// Another person has already deleted the link, which is the requested state.
			if ( 'not_found' !== $error->connect_code ) {
				throw $error;
			}
		}
		return array( 'link' => null, 'said' => __( 'Unlinked. Points and credit are taken from the shop in a moment; this customer is not linked again by itself.', 'tillsync-bridge' ) );
	}

	/**
	 * @param array<string, mixed> $message The request.
	 * @return array<string, mixed>
	 * @throws ServiceError
	 */
	private function call( string $method, array $message ): array {
		return $this->service_client->call( 'LinkService', $method, $message, self::TIMEOUT_SECONDS );
	}

	/** @param mixed $origin A LinkOrigin. */
	private static function origin( $origin ): string {
		return match ( $origin ) {
			'LINK_ORIGIN_MATCHED_EMAIL' => __( 'matched by email', 'tillsync-bridge' ),
			'LINK_ORIGIN_CREATED'       => __( 'created for an order', 'tillsync-bridge' ),
			'LINK_ORIGIN_BY_HAND'       => __( 'linked by hand', 'tillsync-bridge' ),
			default                     => '',
		};
	}

	/** @param mixed $time RFC 3339. */
	private static function day( $time ): string {
		$seconds = is_string( $time ) ? strtotime( $time ) : false;
		return false === $seconds ? '' : (string) wp_date( (string) get_option( 'date_format' ), $seconds );
	}
}
